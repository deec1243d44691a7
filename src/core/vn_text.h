/*
 * vn_text.h
 *		Vietnamese text: unmarked form, exact form, and what a name tells.
 *
 * Two forms of a text, both in capitals, words separated by single blanks,
 * punctuation taken for blanks:
 *
 * - fold_text, fold_name: ASCII letters and digits only.  Same result for NFC,
 *	 NFD and any tone placement.  For comparing across sources that lose marks.
 * - fold_normal: with marks, NFC, tone on the traditional vowel (hoà -> HÒA),
 *	 i/y written one way (Lí -> LÝ).  For exact comparison of marked names.
 *
 * For every text: fold_name(fold_normal(t)) = fold_name(t).
 *
 * Letters of other names stay apart: Hoàng/Huỳnh, Vũ/Võ, Phước/Phúc are
 * different legal names.  All functions return CORE_INVALID for text that is
 * not UTF-8, and never allocate.  in and out must not overlap.
 */
#ifndef EHR_VN_TEXT_H
#define EHR_VN_TEXT_H

#include "core.h"

/*
 * fold_text writes the unmarked form to out, which must hold len bytes (the
 * form is never longer than the text; no terminating zero is written).
 * Letters without an ASCII form (other scripts) are left out.  For addresses
 * and any other text.
 */
extern CoreStatus fold_text(const char *in, size_t len, char *out, size_t *out_len);

/*
 * fold_name is fold_text for a person's name: i/y written one way (LI -> LY,
 * QUI -> QUY, IEN -> YEN: what fold_normal does, seen without marks), and a
 * title before a known surname left out (BS. Nguyễn Văn A -> NGUYEN VAN A).
 */
extern CoreStatus fold_name(const char *in, size_t len, char *out, size_t *out_len);

/*
 * fold_name_key is fold_name with the words in byte order, so that word order
 * does not matter; a key for blocking.  More than FOLD_MAX_WORDS words:
 * CORE_TOO_LARGE.
 */
#define FOLD_MAX_WORDS	64
extern CoreStatus fold_name_key(const char *in, size_t len, char *out, size_t *out_len);

/* fold_normal writes the marked form to out, which must hold FOLD_NORMAL_SIZE(len) bytes. */
#define FOLD_NORMAL_SIZE(len)	(2 * (len))
extern CoreStatus fold_normal(const char *in, size_t len, char *out, size_t *out_len);

typedef enum FoldNameKind
{
	FOLD_NAME_PERSON,			/* a name as usual */
	FOLD_NAME_NEWBORN,			/* "CB ...", "CON BA ...", "BE ...": named after the mother */
	FOLD_NAME_NONE				/* empty, or "KHONG RO", "VO DANH", ... */
} FoldNameKind;

/*
 * fold_name_kind tells what a folded name (from fold_name) stands for.  For a
 * newborn *mother_at is where the mother's name begins (len when it is not
 * given); else 0.  A newborn's name says nothing about who the child is: two
 * of one mother are two persons.
 */
extern FoldNameKind fold_name_kind(const char *folded, size_t len, size_t *mother_at);

#endif							/* EHR_VN_TEXT_H */
