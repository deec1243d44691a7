# Turns sql/data/ROOM.TABLE.tsv into INSERT INTO ehr_internal.TABLE. The first
# line names the columns; an empty field takes the column's default.
BEGIN { FS = "\t" }
function quoted(s) { gsub(/'/, "''", s); return s == "" ? "DEFAULT" : "'" s "'" }
FNR == 1 {
	table = FILENAME
	sub(/.*\//, "", table); sub(/\.tsv$/, "", table); sub(/^[^.]*\./, "", table)
	columns = $0
	gsub(/\t/, ", ", columns)
	width = NF
	next
}
{
	if (NF != width) {
		print FILENAME ":" FNR ": " NF " fields, not " width > "/dev/stderr"
		exit 1
	}
	row = ""
	for (i = 1; i <= NF; i++)
		row = row (i > 1 ? ", " : "") quoted($i)
	# a statement for each 500 rows: PostgreSQL's parser is slow on one very long list
	if ((FNR - 2) % 500 == 0)
		printf "%sINSERT INTO ehr_internal.%s (%s) VALUES\n\t(%s)", (FNR > 2 ? ";\n" : ""), table, columns, row
	else
		printf ",\n\t(%s)", row
}
END { print ";" }
