/*
 * Feature rows, levels, weights, training and the whole link on rows made up
 * here: tables of expected levels, symmetry, round trips, order independence.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <cmocka.h>

#include "match_link.h"
#include "match_train.h"

static void *
plain_alloc(void *arg, size_t size)
{
	return malloc(size);
}

static void
plain_free(void *arg, void *p)
{
	free(p);
}

static const CoreContext core = {plain_alloc, plain_free, NULL, NULL, 100};

static uint64_t seed = 11;

static uint32_t
next(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % below;
}

static MatchRow
person(const char *name, const char *birth, MatchSex sex, const char *number, const char *phone, const char *address)
{
	MatchInput	in = {name, birth, number, NULL, phone, "27088", "769", address, sex};
	MatchRow	row;

	match_row_make(&row, &in);
	return row;
}

static MatchRow
named(const char *name)
{
	return person(name, NULL, SEX_MISSING, NULL, NULL, NULL);
}

static MatchRow
living(const char *commune, const char *district, const char *address)
{
	MatchInput	in = {"Nguyễn Thị Hòa", "1980-05-17", NULL, NULL, NULL, commune, district, address, SEX_MISSING};
	MatchRow	row;

	match_row_make(&row, &in);
	return row;
}

/* Units as senders write them: one is one, another another. */
static void
test_units(void **state)
{
	static const char *const same[][2] = {
		{"P. Bến Nghé", "Phường Bến Nghé"}, {"Bến Nghé", "PHUONG BEN NGHE"}, {"P.05", "Phường 5"}, {"P5", "5"}, {"Q.1", "Quận 1"}, {"Q1", "QUAN 01"},
		{"TT. Nhà Bè", "Thị trấn Nhà Bè"}, {"T.T Nhà Bè", "thi tran nha be"}, {"TP. Thủ Đức", "Thành phố Thủ Đức"}, {"Q. Thủ Đức", "TP Thủ Đức"},
		{"TX Bến Cát", "Thị xã Bến Cát"}, {"H. Hóc Môn", "Huyện Hóc Môn"}, {"X. Tân Kiên", "xã Tân Kiên"}, {"00004", "4"}, {"Đặc khu Côn Đảo", "Côn Đảo"},
	};
	static const char *const other[][2] = {{"P.5", "P.15"}, {"Q.1", "Q.10"}, {"Bến Nghé", "Bến Thành"}, {"26734", "26737"}, {"Tân Kiên", "Tân Kiểng B"}};
	MatchVector v;
	MatchRow	a,
				b;
	size_t		i;

	for (i = 0; i < sizeof same / sizeof *same; i++)
		assert_int_equal(living(same[i][0], NULL, NULL).commune, living(same[i][1], NULL, NULL).commune);
	for (i = 0; i < sizeof other / sizeof *other; i++)
		assert_int_not_equal(living(other[i][0], NULL, NULL).commune, living(other[i][1], NULL, NULL).commune);
	/* an old ward in its district and a new one cannot be compared, unless they are equal; house and street can */
	a = living("26734", "760", NULL);
	b = living("26740", NULL, NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], LEVEL_MISSING);
	b = living("26734", NULL, NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], CONTACT_COMMUNE);
	b = living("26740", "760", NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], CONTACT_DISTRICT);
	a = living("26734", "760", "12/3 Lê Lợi, P.5, Q.1");
	b = living("26740", NULL, "số 12/3 đường LE LOI");
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], CONTACT_HOME);
	b = living("26734", "760", "Hẻm 12/3 Đ. Lê Lợi P5 Q1 TP HCM");
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], CONTACT_HOME);
	b = living("26734", "760", "14/3 Lê Lợi");
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_CONTACT], CONTACT_COMMUNE);
}

static void
test_name_levels(void **state)
{
	static const struct
	{
		const char *a,
				   *b;
		NameLevel	level;
	}			cases[] = {
		{"Nguyễn Thị Hòa", "NGUYỄN THỊ HOÀ", NAME_MARKED},
		{"Nguyễn Thị Hòa", "NGUYEN THI HOA", NAME_FOLDED},
		{"NGUYEN THI HOA", "NGUYEN THI HOA", NAME_FOLDED},
		{"Nguyễn Thị Hòa", "Nguyễn Thị Hoa", NAME_REMARKED},
		{"Nguyễn Thị Kim Hòa", "Nguyễn Hòa", NAME_SHORTENED},
		{"Nguyễn Thị Kim Hòa", "Nguyễn T K Hòa", NAME_SHORTENED},
		{"Nguyễn Thị Kim Hòa", "Hòa Nguyễn Thị Kim", NAME_SHORTENED},
		{"NG T HOA", "HOA NGUYEN THI", NAME_SHORTENED},
		{"N T H", "H N T", NAME_SHORTENED},
		{"N T H", "NGUYEN TRAN HUONG", NAME_OTHER},
		{"HOANG TRUONG HUNG VY", "HUYNH T H VY", NAME_OTHER_SURNAME},
		{"Ng. Thị Hòa", "Nguyễn Thị Hòa", NAME_SHORTENED},
		{"Nguyễn Văn Thanh", "Nguyễn Vân Thanh", NAME_REMARKED},
		{"NGUYEN VAN THANH", "NGUYNE VAN THANH", NAME_TYPO},
		{"NGUYEN VAN THANH", "NGUYENVAN THANH", NAME_TYPO},
		{"NGUYEN VAN THANH", "NGUYEN VAN THAN", NAME_GIVEN_TYPO},
		{"HUYNH VAN THANH", "HOANG VAN THANH", NAME_OTHER_SURNAME},
		{"NGUYEN GIA BAO", "NGUYEN THIEN BAO", NAME_OTHER_MIDDLE},
		{"NGUYEN GIA BAO", "NGUYEN GIA HAN", NAME_SAME_FAMILY},
		{"NGUYEN GIA BAO", "TRAN THI MAI", NAME_OTHER},
	};
	size_t		i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
	{
		MatchRow	a = named(cases[i].a);
		MatchRow	b = named(cases[i].b);

		assert_int_equal(match_name_level(&a, &b), cases[i].level);
		assert_int_equal(match_name_level(&b, &a), cases[i].level);
	}
}

static void
test_birth_levels(void **state)
{
	static const struct
	{
		int32_t		a,
					b;
		BirthLevel	level;
	}			cases[] = {
		{19800517, 19800517, BIRTH_SAME}, {19800101, 19800101, BIRTH_SAME_NEW_YEAR}, {19800000, 19800000, BIRTH_SAME_NEW_YEAR},
		{19800000, 19800517, BIRTH_SAME_YEAR_ONLY}, {19800101, 19800517, BIRTH_SAME_YEAR_ONLY}, {19800101, 19800000, BIRTH_SAME_YEAR_ONLY},
		{19800512, 19801205, BIRTH_SWAPPED}, {19800517, 19800518, BIRTH_SLIP}, {19800517, 19810517, BIRTH_SLIP},
		{19800517, 19080517, BIRTH_SLIP}, {19800517, 19920517, BIRTH_SAME_DAY}, {19800517, 19801122, BIRTH_SAME_YEAR},
		{19800000, 19810517, BIRTH_NEXT_YEAR}, {19800000, 19820517, BIRTH_OTHER}, {19800517, 19630928, BIRTH_OTHER},
	};
	size_t		i;

	for (i = 0; i < sizeof cases / sizeof *cases; i++)
	{
		assert_int_equal(match_birth_level(cases[i].a, cases[i].b), cases[i].level);
		assert_int_equal(match_birth_level(cases[i].b, cases[i].a), cases[i].level);
	}
}

static void
test_numbers(void **state)
{
	/* a father's number on a child, an old card on a child, placeholders */
	MatchRow	r = person("A B", "2015-03-04", SEX_MALE, "079080001234", NULL, NULL);

	assert_int_equal(r.number, 0);
	assert_true(r.flags & MATCH_NUMBER_ALIEN);
	r = person("A B", "2015-03-04", SEX_MALE, "024128183", NULL, NULL);
	assert_int_equal(r.number, 0);
	r = person("A B", "1980-03-04", SEX_MALE, "000000000", NULL, NULL);
	assert_int_equal(r.number_kind, NUMBER_NONE);
	r = person("A B", "1980-03-04", SEX_MALE, "123456789", NULL, NULL);
	assert_int_equal(r.number_kind, NUMBER_NONE);
	/* agrees; a lost leading zero comes back; sex contradicts; both contradict */
	r = person("A B", "1980-03-04", SEX_MALE, "079080001234", NULL, NULL);
	assert_int_equal(r.number, INT64_C(79080001234));
	assert_int_equal(r.flags, 0);
	r = person("A B", "1980-03-04", SEX_MALE, "79080001234", NULL, NULL);
	assert_int_equal(r.number, INT64_C(79080001234));
	r = person("A B", "1980-03-04", SEX_FEMALE, "079080001234", NULL, NULL);
	assert_int_equal(r.flags, MATCH_NUMBER_DOUBTFUL);
	r = person("A B", "1981-03-04", SEX_FEMALE, "079080001234", NULL, NULL);
	assert_int_equal(r.flags, MATCH_NUMBER_ALIEN);
}

static void
test_store_and_load(void **state)
{
	int			round;

	for (round = 0; round < 20000; round++)
	{
		static const char *const names[] = {"Nguyễn Thị Hòa", "", "CB Trần Thị B", "X", "A B C D E F G H I K L M N O P Q",
			"Công Tằng Tôn Nữ Thị Kim Hoàng Anh Thư Phương Nguyệt Minh Khuê", "\xff\xfe"};
		static const char *const numbers[] = {"079080001234", "024128183", "B1234567", NULL, "x"};
		static const char *const addresses[] = {"12/3 Nguyễn Trãi, P.5, Q.5", "Số 4 đường Lê Lợi P5", "", NULL, ",,,"};
		char		birth[16];
		uint8_t		bytes[MATCH_STORED_MAX],
					again[MATCH_STORED_MAX];
		MatchRow	a,
					b;
		size_t		len;

		snprintf(birth, sizeof birth, next(3) ? "%04u-%02u-%02u" : "%u", 1900 + next(130), 1 + next(13), 1 + next(32));
		a = person(names[next(7)], birth, (MatchSex) next(3), numbers[next(5)], next(2) ? "0903123456" : "84 903-123-456", addresses[next(5)]);
		len = match_row_store(&a, bytes);
		assert_true(len <= sizeof bytes);
		assert_int_equal(match_row_load(&b, bytes, len), CORE_OK);
		assert_memory_equal(&a, &b, sizeof a);
		assert_int_equal(match_row_store(&b, again), len);
		assert_memory_equal(bytes, again, len);
		/* damaged bytes are refused or harmless */
		bytes[next((uint32_t) len)] ^= (uint8_t) (1 + next(255));
		if (match_row_load(&b, bytes, next(4) ? len : next((uint32_t) len)) == CORE_OK)
		{
			MatchVector v;

			match_compare(&a, &b, &v);
		}
	}
}

static void
test_compare_is_symmetric(void **state)
{
	static const char *const words[] = {"Nguyễn", "NGUYEN", "Thị", "Van", "Hòa", "Hoa", "Anh", "N", "Minh"};
	MatchModel	model;
	int			round;

	match_model_default(&model, 100000);
	for (round = 0; round < 20000; round++)
	{
		MatchRow	row[2];
		MatchVector v,
					w;
		int			k;

		for (k = 0; k < 2; k++)
		{
			char		name[80];
			char		birth[16];
			char		number[16];
			char		phone[16];
			char		address[40];

			snprintf(name, sizeof name, "%s %s %s", words[next(9)], words[next(9)], words[next(9)]);
			snprintf(birth, sizeof birth, next(3) ? "%04u-%02u-%02u" : "%u", 1980 + next(3), 1 + next(12), 1 + next(12));
			snprintf(number, sizeof number, "0790%02u00%02u34", 79 + next(4), next(20));
			snprintf(phone, sizeof phone, "09031234%02u", next(15));
			snprintf(address, sizeof address, "%u Lê Lợi", next(4));
			row[k] = person(name, birth, (MatchSex) next(3), number, phone, address);
		}
		match_compare(&row[0], &row[1], &v);
		match_compare(&row[1], &row[0], &w);
		assert_memory_equal(&v, &w, sizeof v);
		assert_int_equal(match_veto(&row[0], &row[1], &v), match_veto(&row[1], &row[0], &w));
		assert_true(isfinite(match_score(&model, &v)));
		match_compare(&row[0], &row[0], &v);
		assert_int_equal(match_veto(&row[0], &row[0], &v), VETO_NONE);
	}
}

static void
test_weights(void **state)
{
	MatchModel	model,
				larger;
	MatchVector v;
	MatchRow	a = person("Nguyễn Thị Hòa", "1980-05-17", SEX_FEMALE, "079180001234", "0903123456", "12 Lê Lợi, P5");
	int			f,
				l;

	match_model_default(&model, 100000);
	match_model_default(&larger, 1000000);
	for (f = 0; f < MATCH_FIELDS; f++)
	{
		double		m = 0;

		for (l = 0; l < match_fields[f].levels; l++)
			m += model.m[f][l];
		assert_true(fabs(m - 1) < 0.02);
	}
	match_compare(&a, &a, &v);
	for (f = 0; f < MATCH_FIELDS; f++)
		assert_int_equal(v.level[f], f == FIELD_INSURANCE ? LEVEL_MISSING : 0);
	/* ten times the rows: a chance agreement is ten times as likely; but not to live in one house */
	assert_true(fabs(match_score(&model, &v) - match_score(&larger, &v)) < 0.01);
	v.level[FIELD_CONTACT] = LEVEL_MISSING;
	assert_true(fabs(match_score(&model, &v) - match_score(&larger, &v) - log2(10)) < 0.01);
	assert_true(fabs(match_probability(match_bits(0.9)) - 0.9) < 1e-12);
	/* a common name says less than a rare one */
	v.share[FIELD_NAME] = -8;
	assert_true(match_weight(&model, &v, FIELD_NAME) < 8.1);
	v.share[FIELD_NAME] = -16;
	assert_true(match_weight(&model, &v, FIELD_NAME) > 15);
}

static void
test_twins_and_numbers(void **state)
{
	MatchRow	a = person("Trần Gia Bảo", "2018-05-17", SEX_MALE, NULL, "0903123456", "12 Lê Lợi, P5");
	MatchRow	b = person("Trần Gia Hân", "2018-05-17", SEX_FEMALE, NULL, "0903123456", "12 Lê Lợi, P5");
	MatchRow	c = person("Trần Văn Nam", "1980-05-17", SEX_MALE, "079080001234", NULL, NULL);
	MatchRow	d = person("Trần Văn Nam", "1980-05-17", SEX_MALE, "079080005678", NULL, NULL);
	MatchVector v;

	match_compare(&a, &b, &v);
	assert_int_equal(match_veto(&a, &b, &v), VETO_TWINS);
	match_compare(&c, &d, &v);
	assert_int_equal(match_veto(&c, &d, &v), VETO_NUMBERS);
	/* newborns of one mother: other days, or told apart by a number; else one child */
	a = person("CB Lê Thị Mai", "2020-01-05", SEX_MALE, NULL, "0903123456", NULL);
	b = person("Con bà LE THI MAI", "2022-02-06", SEX_MALE, NULL, "0903123456", NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(match_veto(&a, &b, &v), VETO_BIRTHS);
	b = person("Con bà LE THI MAI", "2020-01-05", SEX_MALE, NULL, "0903123456", NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_NAME], NAME_FOLDED);
	assert_int_equal(match_veto(&a, &b, &v), VETO_NONE);
	a = person("CB1 Lê Thị Mai", "2020-01-05", SEX_MALE, NULL, "0903123456", NULL);
	b = person("CB2 Lê Thị Mai", "2020-01-05", SEX_MALE, NULL, "0903123456", NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(match_veto(&a, &b, &v), VETO_BIRTHS);
	/* the mother is not her child, and tells nothing of its name */
	b = person("Lê Thị Mai", "1990-07-21", SEX_FEMALE, NULL, "0903123456", NULL);
	match_compare(&a, &b, &v);
	assert_int_equal(v.level[FIELD_NAME], LEVEL_MISSING);
	assert_true(match_contradicts(&v));
	/* one number, two strangers */
	b = person("Lê Thị Mai", "1980-01-01", SEX_MISSING, "079080001234", NULL, NULL);
	match_compare(&c, &b, &v);
	assert_int_equal(match_veto(&c, &b, &v), VETO_STRANGERS);
	d = person("Trần Văn Nam", "1980-05-17", SEX_MALE, "079081001234", NULL, NULL);
	match_compare(&c, &d, &v);
	assert_int_equal(match_veto(&c, &d, &v), VETO_NONE);
}

/* People with three rows each; the first n rows of a shuffled list. */
#define PEOPLE 400

static void
make_rows(MatchRow *rows)
{
	int			i;

	for (i = 0; i < PEOPLE; i++)
	{
		char		name[64],
					birth[16],
					number[16],
					phone[16],
					address[32];

		snprintf(name, sizeof name, "Ho%c Ten%c %c%c%c", 'a' + i % 9, 'a' + i % 7, 'a' + i % 23, 'a' + i / 23 % 23, 'a' + i % 5);
		snprintf(birth, sizeof birth, "%d-%02d-%02d", 1950 + i % 60, 2 + i % 11, 1 + i % 28);
		snprintf(number, sizeof number, "079%d%02d%06d", i % 60 >= 50 ? 2 : 0, (50 + i % 60) % 100, 100003 * (i + 1) % 1000000);
		snprintf(phone, sizeof phone, "0903%06d", i * 7919 % 1000000);
		snprintf(address, sizeof address, "%d Duong %c", i + 1, 'A' + i % 20);
		rows[i * 3] = person(name, birth, SEX_MALE, number, phone, address);
		rows[i * 3 + 1] = person(name, birth, SEX_MALE, NULL, phone, NULL);
		rows[i * 3 + 2] = person(name, birth, SEX_MISSING, number, NULL, address);
		rows[i * 3].subject = rows[i * 3 + 1].subject = rows[i * 3 + 2].subject = i;
	}
}

static void
test_link_whole(void **state)
{
	static MatchRow rows[PEOPLE * 3];
	MatchOutcome first;
	int			round;

	memset(&first, 0, sizeof first);
	for (round = 0; round < 4; round++)
	{
		MatchOutcome out;
		uint32_t	i,
					j;

		make_rows(rows);
		for (i = PEOPLE * 3 - 1; round > 0 && i > 0; i--)
		{
			MatchRow	swap = rows[i];

			j = next(i + 1);
			rows[i] = rows[j];
			rows[j] = swap;
		}
		assert_int_equal(match_link(&core, rows, PEOPLE * 3, &match_options_default, &out), CORE_OK);
		for (i = 0; i < PEOPLE * 3; i++)
			for (j = 0; j < i; j++)
				assert_int_equal(match_forest_root(&out.forest, i) == match_forest_root(&out.forest, j), rows[i].subject == rows[j].subject);
		if (round == 0)
			first = out;
		else
		{
			assert_memory_equal(first.model.m, out.model.m, sizeof out.model.m);
			assert_memory_equal(first.model.u, out.model.u, sizeof out.model.u);
			assert_int_equal(first.candidates, out.candidates);
			match_outcome_free(&core, &out);
		}
	}
	match_outcome_free(&core, &first);
}

/* A block far above the limit loses no pair that its refinements or windows should find. */
static CoreStatus
note_pair(void *arg, uint32_t a, uint32_t b)
{
	bool		(*seen)[200] = arg;

	assert_true(a < b);
	seen[a][b] = true;
	return CORE_OK;
}

/* All that the two steps of blocking give. */
typedef struct Blocks
{
	uint32_t	word[100000];
	size_t		n;
} Blocks;

static CoreStatus
keep_block(void *arg, const uint32_t *row, uint32_t n)
{
	Blocks	   *b = arg;

	assert_true(b->n + n < sizeof b->word / sizeof *b->word);
	b->word[b->n++] = n;
	memcpy(b->word + b->n, row, n * sizeof *row);
	b->n += n;
	return CORE_OK;
}

static CoreStatus
all_pairs(MatchRow *rows, uint32_t n, size_t memory, MatchPairFn fn, void *arg, MatchBlockStats *stats)
{
	static Blocks blocks[MATCH_RULES];
	uint16_t   *state = calloc(n, sizeof *state);
	MatchBlocking b;
	CoreStatus	status = match_blocking_start(&b, &core, rows, n, state, memory);
	size_t		i;
	int			rule;

	for (rule = 0; rule < MATCH_RULES && status == CORE_OK; rule++)
	{
		blocks[rule].n = 0;
		status = match_block_find(&b, rule, keep_block, &blocks[rule]);
	}
	for (rule = 0; rule < MATCH_RULES; rule++)
		for (i = 0; i < blocks[rule].n && status == CORE_OK; i += blocks[rule].word[i] + 1)
			status = match_block_pairs(&b, rule, blocks[rule].word + i + 1, blocks[rule].word[i], fn, arg);
	*stats = b.stats;
	match_blocking_end(&b);
	free(state);
	return status;
}

static void
test_oversized_block(void **state)
{
	static MatchRow rows[200];
	static bool seen[200][200];
	MatchBlockStats stats;
	uint32_t	i,
				j;

	memset(seen, 0, sizeof seen);
	for (i = 0; i < 200; i++)
	{
		char		name[32];
		MatchInput	in = {name, NULL, NULL, NULL, "0903123456"};

		snprintf(name, sizeof name, "TRAN VAN %c%c", (char) ('A' + i / 2 % 26), (char) ('A' + i / 52));
		match_row_make(&rows[i], &in);
	}
	assert_int_equal(all_pairs(rows, 200, 1 << 20, note_pair, seen, &stats), CORE_OK);
	assert_int_equal(stats.refined[2], 1);
	for (i = 0; i < 200; i++)
		for (j = i + 1; j < 200; j++)
			if (rows[i].name == rows[j].name)
				assert_true(seen[i][j]);
	/* nothing but the phone: windows, still each row meets others */
	for (i = 0; i < 200; i++)
	{
		MatchInput	in = {"TRAN VAN A", NULL, NULL, NULL, "0903123456"};

		match_row_make(&rows[i], &in);
	}
	assert_int_equal(all_pairs(rows, 200, 1 << 20, note_pair, seen, &stats), CORE_OK);
	assert_true(stats.windowed[2] > 0);
	assert_true(stats.pairs[2] >= 199);
}

static CoreStatus
count_pair(void *arg, uint32_t a, uint32_t b)
{
	(*(uint64_t (*)[2]) arg)[0]++;
	(*(uint64_t (*)[2]) arg)[1] += (uint64_t) (a + 1) * 7919 * (b + 1);
	return CORE_OK;
}

/* Little memory costs passes, and changes nothing. */
static void
test_little_memory(void **state)
{
	static MatchRow rows[PEOPLE * 3];
	uint64_t	much[2] = {0},
				little[2] = {0};
	MatchBlockStats stats;

	make_rows(rows);
	assert_int_equal(all_pairs(rows, PEOPLE * 3, 1 << 24, count_pair, much, &stats), CORE_OK);
	assert_int_equal(all_pairs(rows, PEOPLE * 3, 1, count_pair, little, &stats), CORE_OK);
	assert_true(much[0] > PEOPLE);
	assert_memory_equal(much, little, sizeof much);
}

/* Clerks' decisions move the odds their way, and only so far. */
static void
test_decisions(void **state)
{
	MatchModel	model;
	MatchVector v[200];
	bool		same[200];
	double		before;
	int			i;

	match_model_default(&model, 100000);
	before = model.prior_bits;
	match_train_decided(&model, v, same, 0);
	assert_true(fabs(model.prior_bits - before) < 1e-9);
	for (i = 0; i < 200; i++)
	{
		memset(&v[i], 0, sizeof v[i]);
		memset(v[i].level, LEVEL_MISSING, sizeof v[i].level);
		v[i].level[FIELD_NUMBER] = NUMBER_SAME;
		same[i] = false;
	}
	/* the prior is so low that a number alone is in doubt: many say no */
	match_train_decided(&model, v, same, 200);
	assert_true(model.prior_bits < before && model.prior_bits >= before - MATCH_DECIDED_MOST - 1e-9);
	/* a few say yes */
	before = model.prior_bits;
	for (i = 0; i < 3; i++)
		same[i] = true;
	match_train_decided(&model, v, same, 3);
	assert_true(model.prior_bits > before && model.prior_bits < before + MATCH_DECIDED_MOST);
}

/* No memory at any point: an honest answer and nothing leaked (the sanitizer looks). */
static int	allowed;

static void *
scarce_alloc(void *arg, size_t size)
{
	return allowed-- > 0 ? malloc(size) : NULL;
}

static void
test_no_memory(void **state)
{
	static MatchRow rows[PEOPLE * 3];
	const CoreContext scarce = {scarce_alloc, plain_free, NULL, NULL, 100};
	int			k;

	for (k = 0; k < 40; k++)
	{
		MatchOutcome out;

		make_rows(rows);
		allowed = k;
		if (match_link(&scarce, rows, PEOPLE * 3, &match_options_default, &out) == CORE_OK)
		{
			match_outcome_free(&core, &out);
			assert_true(k > 5);
			return;
		}
	}
	fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_name_levels),
		cmocka_unit_test(test_birth_levels),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_store_and_load),
		cmocka_unit_test(test_compare_is_symmetric),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_twins_and_numbers),
		cmocka_unit_test(test_link_whole),
		cmocka_unit_test(test_oversized_block),
		cmocka_unit_test(test_little_memory),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
