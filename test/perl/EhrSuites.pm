# The suites beside the project, run against a server: what test/t/030_fhir.pl asserts and `make conformance` prints.
# Each function takes the folder of the suites and gives facts; it does not judge. A suite that is absent gives undef.
package EhrSuites;
use strict;
use warnings;
use File::Basename qw(basename);
use JSON::PP;

# sql: sub that runs a statement in a database with the extension and returns psql's unaligned output
sub new
{
	my ($class, $folder, $exceptions, $sql) = @_;
	my $self = bless { folder => $folder, exceptions => $exceptions, sql => $sql }, $class;
	$sql->(q{
		CREATE FUNCTION refusal(t text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE state text; detail text;
		BEGIN
			PERFORM t::ehr.fhir;
			RETURN NULL;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = returned_sqlstate, detail = pg_exception_detail;
			RETURN state || ' ' || coalesce(detail, '');
		END $$;
		-- bytes that are no UTF-8 are refused before they reach the type
		CREATE FUNCTION file_refusal(path text) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			RETURN refusal(convert_from(pg_read_binary_file(path), 'UTF8'));
		EXCEPTION WHEN OTHERS THEN
			RETURN SQLSTATE;
		END $$;
		CREATE FUNCTION file_text(path text) RETURNS text LANGUAGE sql AS $$ SELECT convert_from(pg_read_binary_file(path), 'UTF8') $$;
		-- A definition that is not valid itself, or of a type that is not loaded, still supports its case as far as it can.
		CREATE FUNCTION support(path text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE doc jsonb := file_text(path)::jsonb;
		BEGIN
			RETURN ehr.load_definition(doc);
		EXCEPTION WHEN OTHERS THEN
			IF doc ->> 'url' IS NOT NULL THEN
				INSERT INTO ehr.definition (kind, url, version, doc) VALUES (doc ->> 'resourceType', doc ->> 'url', coalesce(doc ->> 'version', ''), doc)
				ON CONFLICT DO NOTHING;
			END IF;
			RETURN SQLSTATE;
		END $$;
		-- validate()'s errors, the first few in words; empty for a valid document. The supporting files, where there
		-- are any, are loaded for this document alone.
		CREATE FUNCTION errors(path text, supporting text[], profile text) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE outcome jsonb; canonical text; result text;
		BEGIN
			BEGIN
				FOR i IN 1 .. coalesce(array_length(supporting, 1), 0) LOOP
					PERFORM support(supporting[i]);
				END LOOP;
				IF profile IS NULL THEN
					outcome := ehr.validate(file_text(path));
				ELSE
					canonical := CASE WHEN profile ~ '^/' THEN file_text(profile)::jsonb ->> 'url' ELSE profile END;
					outcome := ehr.validate(file_text(path)::jsonb, canonical);
				END IF;
				result := coalesce((SELECT string_agg(concat_ws(' ', i #>> '{expression,0}', i #>> '{details,text}'), '; ')
					FROM jsonb_array_elements(outcome -> 'issue') AS i WHERE i ->> 'severity' IN ('error', 'fatal')), '');
				RAISE EXCEPTION USING ERRCODE = 'ZZ001';
			EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
				RETURN result;
			END;
		EXCEPTION WHEN OTHERS THEN
			RETURN 'raises ' || SQLSTATE || ' ' || SQLERRM;
		END $$;
	});
	return $self;
}

sub there { my ($self, $suite) = @_; return -d "$self->{folder}/$suite"; }

# The first column of the cases that a suite gets wrong by a clause of the specification
sub exceptions
{
	my ($self, $suite) = @_;
	open(my $file, '<', "$self->{exceptions}/$suite.tsv") or return ();
	my @lines = <$file>;
	return map { (split /\t/)[0] } @lines[ 1 .. $#lines ];
}

# file name → refusal, for all JSON files of a folder, and their number
sub refusals
{
	my ($self, $folder) = @_;
	my %refused;
	my @files = sort glob("$self->{folder}/$folder/*.json");
	my $list = join(', ', map { "('$_')" } @files);
	for my $line (split /\n/, $self->{sql}->("SELECT f, file_refusal(f) FROM (VALUES $list) v(f)"))
	{
		my ($file, $refusal) = split /\|/, $line, 2;
		$refused{ basename($file) } = $refusal if defined $refusal && $refusal ne '';
	}
	return (scalar @files, \%refused);
}

# Fills table resource(doc text) from Synthea's bundles: bundles, refused bundles, resources, refused resources
sub synthea
{
	my ($self) = @_;
	my $sql = $self->{sql};
	$sql->(qq{
		CREATE TABLE bundle (doc text);
		COPY bundle FROM PROGRAM 'gzip -dc $self->{folder}/synthea-r4/cases/bundles.ndjson.gz' WITH (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01');
	});
	my @counts = split /\|/, $sql->('SELECT count(*), count(refusal(doc)) FROM bundle');
	$sql->(q{CREATE TABLE resource AS SELECT (e -> 'resource')::text AS doc FROM bundle, jsonb_array_elements(doc::jsonb -> 'entry') e});
	push @counts, split /\|/, $sql->('SELECT count(*), count(refusal(doc)) FROM resource');
	$sql->('DROP TABLE bundle');
	return @counts;
}

# JSONTestSuite: number of cases to reject and to accept, and those of each that the type gets wrong
sub json_parsing
{
	my ($self) = @_;
	my ($count, $refused) = $self->refusals('json-parsing/cases/test_parsing');
	my @all = map { basename($_) } sort glob("$self->{folder}/json-parsing/cases/test_parsing/*.json");
	my @reject = grep { /^n_/ } @all;
	my @accept = grep { /^y_/ } @all;
	my @let_in = grep { !defined $refused->{$_} || $refused->{$_} !~ /^(22P02|22P05|22021|54000)/ } @reject;
	# \u0000 is JSON, but no text of PostgreSQL can hold it
	my @kept_out = grep { defined $refused->{$_} && $refused->{$_} !~ /^(23514|22P05)/ } @accept;
	return { all => scalar @all, reject => scalar @reject, accept => scalar @accept, let_in => \@let_in, kept_out => \@kept_out };
}

# The reference validator's cases of a tier: [name, its verdict, our errors]
sub verdicts
{
	my ($self, $tier) = @_;
	my $base = "$self->{folder}/validator-r4/cases";
	open(my $file, '<', "$base/manifest.json") or die $!;
	local $/;
	my @cases = grep { $_->{tier} == $tier } @{ decode_json(<$file>) };
	my $quote = sub { my ($s) = @_; $s =~ s/'/''/g; return "'$s'" };
	my $place = sub { my ($s) = @_; return $s =~ m{^files/} ? "$base/$s" : $s };
	my @rows;
	for my $case (@cases)
	{
		my $supporting = join ',', map { $quote->($place->($_)) } @{ $case->{supporting} };
		my $profile = defined $case->{profile} ? $quote->($place->($case->{profile})) : 'NULL';
		my $errors = $self->{sql}->('SELECT errors(' . $quote->("$base/$case->{file}") . ", ARRAY[$supporting]::text[], $profile)");
		push @rows, [ $case->{name}, $case->{valid} ? 1 : 0, $errors ];
	}
	return @rows;
}

1;
