# Calls of every function of schema ehr that a role may execute, with arguments of the names and types of its parameters, some of
# which are about one person: %$h has id and subject of the Patient, person, condition, type, number, phone and system.
package EhrCalls;
use strict;
use warnings;

use Exporter 'import';
use IPC::Run;

our @EXPORT = qw(quoted calls answers);

sub quoted { my ($text) = @_; return "'" . $text =~ s/'/''/gr . "'"; }
sub candidates
{
	my ($name, $type, $h) = @_;
	my $fresh = qq{{"resourceType": "Patient", "id": "$h->{id}", "gender": "female", "birthDate": "1985-03-02"}};
	my %by_name = (
		type => [ "'Patient'", "'Condition'" ], id => [ quoted($h->{id}), quoted($h->{condition}) ], system => [ quoted($h->{system}) ], value => [ quoted($h->{number}) ],
		after => ["'0.0.0'"], at => ['pg_catalog.now()'], name => [ "'disease_by_commune'", "'immunization_coverage'" ], source => ["'hidden-feed'"], author => [ "'99999'", "'hidden-feed'" ],
		if_none_exist => [ quoted("identifier=$h->{system}|$h->{number}"), 'NULL' ], if_match => [ 'NULL', '1', '7' ], reason => ["'mine'"], scope => [ "'all'", "'label:*'", "'nonsense'" ],
		grantee => ["'practitioner:dr'"], purpose => ["'TREAT'"], until => ['NULL'], evidence => [ 'NULL', q{'{"sha256": "00"}'} ], handle => [ "'nonsense'" ], token => [ "'a.b.c'" ],
		params => [ q{'{}'}, q{'{"level": "province"}'}, q{'{"min_cell": 1}'} ], lines => [ q{'{"record_id": "r1"}'}, "''" ], version => [ 'NULL', '1' ], max_rows => [ '10', '1000000' ],
		threshold => [ '0.0', '0.99' ], kid => ["'test'"], valid => ['NULL'], sub => [ "'dr'" ], payload => [ q{'<x/>'} ], merge_id => ['1'], review => ['1'], quarantine_id => [ '1', '2' ],
		what => [ "'all'", "'document:Condition/x'", "'episode:Encounter/x'" ], minutes => [ '5', '100' ], relation => ["'parent'"], basis => ["'mine'"], org => [ "'99999'", "'79'" ],
		practitioner => ["'dr'"], remark => ["'mine'"], documents => [ quoted("{Condition/$h->{condition}}") ],
		'after:int8' => [ '0' ], 'consent:jsonb' => [ 'NULL', quoted('{"resourceType": "Consent"}') ], principal => [ quoted('{"kind": "clinician", "sub": "dr", "org": "99999", "purpose": "TREAT"}') ],
		labels => [ '0', '-1' ], ranges => ["'I00-I99'"], profile => ['NULL'],
		view_definition => [ quoted(q{{"resource": "Patient", "select": [{"column": [{"name": "phone", "path": "telecom.value.first()"}]}]}}) ], materialized => [ 'false', 'true' ],
		patch => [ q{'[{"op": "add", "path": "/language", "value": "vi"}]'}, q{'[{"op": "test", "path": "/nothing", "value": 1}]'}, q{'{"resourceType": "Parameters"}'} ],
		from_unit => ["'g'"], to_unit => [ "'mg'", "'79'", 'NULL' ], unit => [ "'mg'", "'79'", 'NULL' ],
		vars => ["'{}'"],
		'request:text' => [ "'access'", "'erase'" ], decision => [ "'grant'", "'refuse'" ], recipient => ["'facility:99999'"], facility => ["'99999'"], context => ["'p/1'"],
		from_event => ['1'], details => ['NULL']);
	my %by_type = (
		text => [ quoted($h->{id}), "'Patient'" ], int4 => [ '1', '1000' ], int8 => [ $h->{subject}, '1' ], int2 => ["ehr_type_patient"], bool => [ 'true', 'false' ], float8 => ['0.0'],
		uuid => [ quoted($h->{person}) ], 'person' => [ quoted($h->{person}) ], timestamptz => ['pg_catalog.now()'], date => ["'2026-01-01'"], _int8 => [ "'{1,2,3}'", "'{$h->{subject}}'" ],
		regclass => [ "'ehr_store.resource'", "'ehr_store.payload'", "'ehr_store.match_feature'", "'public.empty_rows'" ], tstzrange => ["'(,)'"], bytea => ["'\\x3c782f3e'"],
		_text => [ quoted("{$h->{number}}") ], _uuid => [ quoted("{$h->{person}}") ], _date => ["'{2026-01-01}'"], value_set_rule => ['NULL'],
		citizen_id => [ quoted($h->{number}) ], insurance_no => [ quoted('GD4797932012345') ], icd10 => ["'I10'"], fhirpath => [ "'name.family'", "'descendants().value'", "'identifier.value | resolve()'" ],
		jsonb => [ quoted($fresh), quoted(qq{{"resourceType": "Patient", "gender": "female", "birthDate": "1985-03-02", "telecom": [{"value": "$h->{phone}"}]}}),
			quoted(qq{{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": $fresh, "request": {"method": "PUT", "url": "Patient/$h->{id}"}}, {"resource": $fresh, "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=$h->{system}|$h->{number}"}}]}}) ],
		fhir => [ quoted($fresh), quoted(qq{{"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/$h->{id}"}}}),
			quoted(qq{{"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": $fresh, "request": {"method": "PUT", "url": "Patient/$h->{id}"}}]}}),
			quoted(qq{{"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=$h->{system}|$h->{number}"}}]}}) ]);
	return @{ $by_name{"$name:$type"} // $by_name{$name} // $by_type{$type} // [] };
}

sub calls
{
	my ($node, $db, $role, $h) = @_;
	my @calls;
	my $list = $node->safe_psql($db, qq{
		SELECT p.proname, coalesce((SELECT string_agg(coalesce(p.proargnames[i], '') || ':' || t.typname, ',' ORDER BY i) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (o, i) JOIN pg_type t ON t.oid = a.o), ''), p.prokind
		FROM pg_proc p WHERE p.pronamespace = 'ehr'::regnamespace AND p.prokind IN ('f', 'p') AND has_function_privilege('$role', p.oid, 'EXECUTE')
			AND p.prorettype <> 'trigger'::regtype AND p.proname NOT IN ('logout', 'detach')
			AND NOT p.proargtypes::oid[] && ARRAY['internal', 'cstring']::regtype[]::oid[] ORDER BY 1, 2});
	for my $line (split /\n/, $list)
	{
		my ($name, $args, $kind) = split /\|/, $line, -1;
		my @lists = ('');
		for my $arg (split /,/, $args)
		{
			my ($arg_name, $type) = split /:/, $arg;
			my @values = candidates($arg_name, $type, $h) or die "no value for parameter $arg of ehr.$name";
			$type = { _int8 => 'bigint[]', _text => 'text[]', _uuid => 'uuid[]', _date => 'date[]' }->{$type} // $type;
			$type = "ehr.$type" if $type =~ /^(person|fhir|citizen_id|insurance_no|icd10|fhirpath|value_set_rule)$/;
			@lists = map { my $list = $_; map { ($list eq '' ? '' : "$list, ") . s/ehr_type_patient/$h->{type}/r . "::$type" } @values } @lists;
		}
		# of many, some from everywhere
		my $step = @lists > 16 ? @lists / 16 : 1;
		my @some = map { $lists[ int($_ * $step) ] } 0 .. (@lists > 16 ? 15 : $#lists);
		push @calls, map { $kind eq 'p' ? "CALL ehr.$name($_)" : "SELECT f::text FROM ehr.$name($_) AS f" } @some;
	}
	return @calls;
}

# answers(NODE, DATABASE, ROLE, what comes first, statements): what each statement printed and said, with the statement
sub answers
{
	my ($node, $db, $role, $first, @statements) = @_;
	my $script = $first . join '', map { my $s = $statements[$_]; "\\echo #$_\n\\warn #$_\n" . ($s =~ /^CALL/ ? "$s;\n" : "BEGIN;\n$s;\nROLLBACK;\n") } 0 .. $#statements;
	my ($out, $err, @answers);
	IPC::Run::run([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-U', $role, '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=always', '-d', $db ], '<', \$script, '>', \$out, '2>', \$err);
	for my $answer (split(/^(?=#\d+$)/m, $out), split(/^(?=#\d+$)/m, $err))
	{
		push @answers, [ $statements[$1], $answer ] if $answer =~ s/^#(\d+)\n//;
	}
	return @answers;
}

1;
