/*
 * phone_data.h
 *		Mobile prefixes that went from 11 to 10 digits (sql/data/phone_prefixes.tsv).
 *
 * Written by src/core/gen/make_data.py.  Do not edit.
 */

static const struct { char old_prefix[5], new_prefix[4]; } phone_prefixes[] = {
	{"0120", "070"}, {"0121", "079"}, {"0122", "077"}, {"0123", "083"},
	{"0124", "084"}, {"0125", "085"}, {"0126", "076"}, {"0127", "081"},
	{"0128", "078"}, {"0129", "082"}, {"0162", "032"}, {"0163", "033"},
	{"0164", "034"}, {"0165", "035"}, {"0166", "036"}, {"0167", "037"},
	{"0168", "038"}, {"0169", "039"}, {"0186", "056"}, {"0188", "058"},
	{"0199", "059"}
};
