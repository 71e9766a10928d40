namespace LlmTune.Tokenization;

/// <summary>A regular expression as a tree, and what can be said of its parts without a text.</summary>
internal abstract record RegexTree
{
    /// <summary>How many characters it matches at least.</summary>
    public abstract int Shortest { get; }

    /// <summary>How many characters it matches; null where that varies.</summary>
    public abstract int? Fixed { get; }

    /// <summary>The characters that a match can begin with; null where it can be empty.</summary>
    public abstract CharSet? First { get; }

    public sealed record One(CharSet Set) : RegexTree
    {
        public override int Shortest => 1;
        public override int? Fixed => 1;
        public override CharSet? First => Set;
    }

    public sealed record Sequence(IReadOnlyList<RegexTree> Parts) : RegexTree
    {
        public override int Shortest => Parts.Sum(part => part.Shortest);
        public override int? Fixed => Parts.Aggregate((int?)0, (sum, part) => sum + part.Fixed);

        public override CharSet? First
        {
            get
            {
                var first = CharSet.None;
                foreach (var part in Parts)
                {
                    if (part.First is { } set) return first.Union(set);
                    if (part is Repeat { Body.First: { } optional }) first = first.Union(optional);
                    else if (part is not (Look or Anchor)) return null;
                }
                return null;
            }
        }
    }

    public sealed record Choice(IReadOnlyList<RegexTree> Options) : RegexTree
    {
        public override int Shortest => Options.Min(option => option.Shortest);
        public override int? Fixed => Options.All(option => option.Fixed == Options[0].Fixed) ? Options[0].Fixed : null;

        public override CharSet? First =>
            Options.All(option => option.First is not null) ? Options.Aggregate(CharSet.None, (all, option) => all.Union(option.First!)) : null;
    }

    /// <param name="Most">−1 for any number.</param>
    public sealed record Repeat(RegexTree Body, int Least, int Most, RepeatMode Mode) : RegexTree
    {
        public override int Shortest => Least * Body.Shortest;
        public override int? Fixed => Least == Most ? Least * Body.Fixed : null;
        public override CharSet? First => Least > 0 ? Body.First : null;
    }

    /// <summary>Matches without giving anything back.</summary>
    public sealed record Atomic(RegexTree Body) : RegexTree
    {
        public override int Shortest => Body.Shortest;
        public override int? Fixed => Body.Fixed;
        public override CharSet? First => Body.First;
    }

    public sealed record Look(RegexTree Body, bool Behind, bool Negative) : RegexTree
    {
        public override int Shortest => 0;
        public override int? Fixed => 0;
        public override CharSet? First => null;
    }

    public sealed record Anchor(AnchorKind Kind) : RegexTree
    {
        public override int Shortest => 0;
        public override int? Fixed => 0;
        public override CharSet? First => null;
    }
}

internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}

internal enum AnchorKind
{
    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastLine,
    WordBoundary,
    NoWordBoundary,
}
