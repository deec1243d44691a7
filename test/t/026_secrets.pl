# What the sources must keep to: libraries of cryptography and JSON in core alone, and secrets compared in constant time.
use strict;
use warnings;

use Test::More;

my $top = $ENV{EHR_TOP} // '.';
sub slurp { my ($file) = @_; open my $f, '<:encoding(UTF-8)', $file or die "$file: $!"; local $/; return scalar <$f>; }
sub code { my ($text) = @_; $text =~ s{/\*.*?\*/}{}gs; $text =~ s/"(?:\\.|[^"\\])*"/""/g; return $text; }

my (@outside, @unsafe, $core);
for my $file (glob("$top/src/*.c $top/src/*.h $top/src/*/*.c $top/src/*/*.h"))
{
	my $code = code(slurp($file));
	my $short = $file =~ s/^\Q$top\E\///r;
	if ($short =~ m{^src/core/}) { $core++; }
	# the verifier is no part of the server: it is core and a main()
	elsif ($short !~ m{^src/verify/} && $code =~ /\b(sodium_\w+|crypto_\w+|randombytes_\w+|json_(?:loads|loadb|pack|object_\w+|decref|array_\w+))\s*\(/) { push @outside, "$short: $1"; }
}
cmp_ok($core, '>', 50, 'the sources are read');
is_deeply(\@outside, [], 'libsodium and jansson are called in core alone');
for my $file (qw(src/core/secret.c src/core/seal.c src/core/mac.c src/core/jws.c src/vault/root.c src/vault/functions.c))
{
	push @unsafe, $file if code(slurp("$top/$file")) =~ /(?<!sodium_)\b(?:memcmp|strcmp|bcmp)\s*\(\s*\w*(?:key|mac|secret|expected|tag)/;
}
is_deeply(\@unsafe, [], 'D11: no secret is compared with memcmp');
# memory of keys is zeroed before it is given back or left on the stack
for my $file (qw(src/vault/keys.c src/audit/tree.c))
{
	my $code = code(slurp("$top/$file"));
	my @keys = $code =~ /\n\tuint8\s+(\w+)\[SECRET_KEY\];/g;
	is(scalar(grep { $code !~ /secret_zero\($_, sizeof\($_\)\)/ } @keys), 0, "$file: every key on the stack is zeroed");
	ok(@keys > 0, '  and there are some');
}
unlike(slurp("$top/src/vault/keys.c") . slurp("$top/src/vault/root.c"), qr/\belog\([^;]*key\s*\[/, 'no key goes into a message');
done_testing();
