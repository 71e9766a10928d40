using System.Runtime.CompilerServices;

namespace LlmTune.Tokenization;

/// <summary>A part of a regular expression made ready to match; each knows what has to match after it.</summary>
internal abstract class RegexMatcher
{
    /// <returns>Where the whole match ends, −1 where nothing matches from here.</returns>
    public abstract int Match(ReadOnlySpan<char> text, int at);

    public static RegexMatcher Of(RegexTree tree, RegexMatcher next) => tree switch
    {
        RegexTree.One one => new OneMatcher(one.Set, next),
        RegexTree.Sequence sequence => sequence.Parts.Reverse().Aggregate(next, (after, part) => Of(part, after)),
        RegexTree.Choice choice => new ChoiceMatcher([.. choice.Options.Select(option => (Of(option, next), option.First))]),
        RegexTree.Repeat { Mode: RepeatMode.Possessive } repeat =>
            new AtomicMatcher(Of(repeat with { Mode = RepeatMode.Greedy }, AcceptMatcher.Instance), next),
        RegexTree.Repeat { Body: RegexTree.One one } repeat =>
            new SetLoopMatcher(one.Set, repeat.Least, repeat.Most < 0 ? int.MaxValue : repeat.Most, repeat.Mode == RepeatMode.Lazy, next),
        RegexTree.Repeat repeat => Repeated(repeat, next),
        RegexTree.Atomic atomic => new AtomicMatcher(Of(atomic.Body, AcceptMatcher.Instance), next),
        RegexTree.Look { Behind: false } look => new LookAheadMatcher(Of(look.Body, AcceptMatcher.Instance), look.Negative, next),
        RegexTree.Look look => new LookBehindMatcher([.. Options(look.Body).Select(o => (Of(o, AcceptMatcher.Instance), o.Fixed!.Value))], look.Negative, next),
        RegexTree.Anchor anchor => new AnchorMatcher(anchor.Kind, next),
        _ => throw new InvalidOperationException(tree.GetType().Name),
    };

    private static IReadOnlyList<RegexTree> Options(RegexTree tree) => tree is RegexTree.Choice choice ? choice.Options : [tree];

    /// <summary>A group: the copies it must have, then a loop or the copies it may have, each inside the one before.</summary>
    private static RegexMatcher Repeated(RegexTree.Repeat repeat, RegexMatcher next)
    {
        var lazy = repeat.Mode == RepeatMode.Lazy;
        var after = next;
        if (repeat.Most < 0)
        {
            var loop = new GroupLoopMatcher(lazy, next);
            loop.Body = Of(repeat.Body, loop);
            after = loop;
        }
        for (var i = repeat.Least; i < repeat.Most; i++)
        {
            var copy = Of(repeat.Body, after);
            after = new ChoiceMatcher(lazy ? [(next, null), (copy, null)] : [(copy, repeat.Body.First), (next, null)]);
        }
        for (var i = 0; i < repeat.Least; i++) after = Of(repeat.Body, after);
        return after;
    }

    internal sealed class AcceptMatcher : RegexMatcher
    {
        public static readonly AcceptMatcher Instance = new();

        public override int Match(ReadOnlySpan<char> text, int at) => at;
    }

    private sealed class OneMatcher(CharSet set, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) =>
            at < text.Length && set.At(text, at, out var length) ? next.Match(text, at + length) : -1;
    }

    private sealed class SetLoopMatcher(CharSet set, int least, int most, bool lazy, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            var count = 0;
            var end = at;
            var goal = lazy ? least : most;
            while (count < goal && end < text.Length && set.At(text, end, out var length))
            {
                end += length;
                count++;
            }
            if (count < least) return -1;
            while (true)
            {
                var result = next.Match(text, end);
                if (result >= 0) return result;
                if (lazy)
                {
                    if (count == most || end >= text.Length || !set.At(text, end, out var length)) return -1;
                    end += length;
                    count++;
                }
                else
                {
                    if (count == least) return -1;
                    end -= end >= 2 && char.IsLowSurrogate(text[end - 1]) && char.IsHighSurrogate(text[end - 2]) ? 2 : 1;
                    count--;
                }
            }
        }
    }

    private sealed class ChoiceMatcher((RegexMatcher Matcher, CharSet? First)[] options) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            foreach (var (matcher, first) in options)
            {
                if (first is not null && (at >= text.Length || !first.At(text, at, out _))) continue;
                var end = matcher.Match(text, at);
                if (end >= 0) return end;
            }
            return -1;
        }
    }

    private sealed class GroupLoopMatcher(bool lazy, RegexMatcher next) : RegexMatcher
    {
        public RegexMatcher Body { get; set; } = AcceptMatcher.Instance;

        public override int Match(ReadOnlySpan<char> text, int at)
        {
            RuntimeHelpers.EnsureSufficientExecutionStack();
            var end = (lazy ? next : Body).Match(text, at);
            return end >= 0 ? end : (lazy ? Body : next).Match(text, at);
        }
    }

    private sealed class AtomicMatcher(RegexMatcher body, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => body.Match(text, at) is >= 0 and var end ? next.Match(text, end) : -1;
    }

    private sealed class LookAheadMatcher(RegexMatcher body, bool negative, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => body.Match(text, at) < 0 == negative ? next.Match(text, at) : -1;
    }

    private sealed class LookBehindMatcher((RegexMatcher Body, int Characters)[] options, bool negative, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at)
        {
            var found = false;
            foreach (var (body, characters) in options)
            {
                var start = at;
                for (var i = 0; i < characters && start >= 0; i++)
                {
                    start -= start >= 2 && char.IsLowSurrogate(text[start - 1]) && char.IsHighSurrogate(text[start - 2]) ? 2 : 1;
                }
                found |= start >= 0 && body.Match(text, start) == at;
            }
            return found != negative ? next.Match(text, at) : -1;
        }
    }

    private sealed class AnchorMatcher(AnchorKind kind, RegexMatcher next) : RegexMatcher
    {
        public override int Match(ReadOnlySpan<char> text, int at) => Holds(text, at) ? next.Match(text, at) : -1;

        private bool Holds(ReadOnlySpan<char> text, int at) => kind switch
        {
            AnchorKind.LineStart => at == 0 || (text[at - 1] == '\n' && at < text.Length),
            AnchorKind.LineEnd => at == text.Length || text[at] == '\n',
            AnchorKind.TextStart => at == 0,
            AnchorKind.TextEnd => at == text.Length,
            AnchorKind.TextEndOrLastLine => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
            AnchorKind.WordBoundary => IsWordBefore(text, at) != IsWordAt(text, at),
            _ => IsWordBefore(text, at) == IsWordAt(text, at),
        };

        private static bool IsWordAt(ReadOnlySpan<char> text, int at) => at < text.Length && CharSets.Word.At(text, at, out _);

        private static bool IsWordBefore(ReadOnlySpan<char> text, int at) =>
            at > 0 && CharSets.Word.At(text, at >= 2 && char.IsLowSurrogate(text[at - 1]) && char.IsHighSurrogate(text[at - 2]) ? at - 2 : at - 1, out _);
    }
}
