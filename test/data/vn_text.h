/*-------------------------------------------------------------------------
 *
 * vn_text.h
 *		Vietnamese letters for the test data: marks, tones, spelling, typing.
 *
 * Apart from folding (which the figures and the scorer use) this is about
 * writing names wrongly in the ways people and programs do.  It is kept apart
 * from the extension's own text code on purpose: the data must not share a
 * mistake with what it tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_TEXT_H
#define VN_TEXT_H

#include <stddef.h>

#include "vn_random.h"

#define WORD_LETTERS 23

/* One word as precomposed code points, which all lie below U+2000. */
typedef struct Word
{
	uint8_t		len;
	uint16_t	cp[WORD_LETTERS];
} Word;

typedef enum Letters
{
	LETTERS_AS_THEY_ARE,
	LETTERS_CAPITAL,
	LETTERS_CAPITAL_PLAIN,		/* capitals without marks */
	LETTERS_PLAIN				/* without marks */
} Letters;

extern void text_init(void);

/* Reads UTF-8; what does not fit is cut off. */
extern void word_read(Word *word, const char *utf8, size_t len);

/* Appends the word in UTF-8, decomposed (NFD) where asked; returns the new end. */
extern char *word_write(char *to, const Word *word, Letters letters, bool decomposed);

/* The same for a whole text; `to` must have room for three times its length. */
extern char *text_write(char *to, const char *from, Letters letters, bool decomposed);

/* True if the word's tone may stand on either of two vowels (hòa, hoà): then puts it there. */
extern bool word_place_tone(Word *word, bool on_second);

/* Lý becomes Lí: true if the word has such a second spelling. */
extern bool word_swap_y(Word *word);

/* Another tone than the right one, on the right vowel. */
extern bool word_wrong_tone(Word *word, Rng *rng);

/* A slip of the keyboard; one in six is Telex typing left undone (Nguyeenx). */
extern void word_mistype(Word *word, Rng *rng);

/*
 * Writes the text as lower-case ASCII letters and digits without marks, words
 * separated by one space; returns the length.  NFC and NFD give the same.  `to`
 * must have room for strlen(from) + 1.
 */
extern size_t text_fold(char *to, const char *from);

#endif							/* VN_TEXT_H */
