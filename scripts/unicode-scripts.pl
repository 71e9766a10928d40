#!/usr/bin/perl
# Writes src/LlmTune/Tokenization/Regexes/UnicodeScripts.Data.cs from the Unicode data that comes with Perl 5.36 (Unicode 14):
#   perl scripts/unicode-scripts.pl > src/LlmTune/Tokenization/Regexes/UnicodeScripts.Data.cs
# A range is three numbers: the gap since the last one's end, its length, and 2 × script + (1 if it came after Unicode 9), each in
# groups of seven bits, the lowest first.
use strict;
use warnings;
use Unicode::UCD qw(prop_invmap);
use MIME::Base64;

sub spread {
    my ($starts, $values) = prop_invmap(shift);
    return ($starts, $values);
}

my ($ss, $sv) = spread("Script");
my ($as, $av) = spread("Age");
my %later = map { $_ => 1 } qw(10.0 11.0 12.0 12.1 13.0 14.0);

my %cuts = map { $_ => 1 } @$ss, @$as;
my @points = sort { $a <=> $b } grep { $_ <= 0x10FFFF } keys %cuts;
my ($si, $ai) = (0, 0);
my @ranges;
for my $i (0 .. $#points) {
    my ($from, $to) = ($points[$i], $i < $#points ? $points[$i + 1] : 0x110000);
    $si++ while $si < $#$ss && $ss->[$si + 1] <= $from;
    $ai++ while $ai < $#$as && $as->[$ai + 1] <= $from;
    my ($script, $late) = ($sv->[$si], $later{$av->[$ai]} ? 1 : 0);
    next if $script eq 'Unknown';
    if (@ranges && $ranges[-1][1] == $from && $ranges[-1][2] eq $script && $ranges[-1][3] == $late) { $ranges[-1][1] = $to }
    else { push @ranges, [$from, $to, $script, $late] }
}

my %names = map { $_->[2] => 1 } @ranges;
my @names = sort keys %names;
my %number;
@number{@names} = 0 .. $#names;

my ($bytes, $end) = ("", 0);
for my $range (@ranges) {
    for my $n ($range->[0] - $end, $range->[1] - $range->[0], 2 * $number{$range->[2]} + $range->[3]) {
        while ($n > 127) { $bytes .= chr($n & 127 | 128); $n >>= 7 }
        $bytes .= chr($n);
    }
    $end = $range->[1];
}

my @lines = encode_base64($bytes, "") =~ /(.{1,120})/g;
my (@rows, $row);
for my $name (map { lc } @names) {
    if (defined $row && length("$row $name") > 120) { push @rows, $row; undef $row }
    $row = defined $row ? "$row $name" : $name;
}
push @rows, $row;

print "namespace LlmTune.Tokenization;\n\n";
print "/// <content>Unicode's scripts, written by scripts/unicode-scripts.pl.</content>\n";
print "internal static partial class UnicodeScripts\n{\n";
print "    private const string Names =\n        \"", join(" \"\n        + \"", @rows), "\";\n\n";
print "    private const string Ranges =\n        \"", join("\"\n        + \"", @lines), "\";\n}\n";
