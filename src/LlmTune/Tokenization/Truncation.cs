namespace LlmTune.Tokenization;

/// <summary>Which of two texts is made shorter.</summary>
public enum TruncationStrategy
{
    LongestFirst,
    OnlyFirst,
    OnlySecond,
}

/// <summary>
/// How texts are cut to a length, as the <c>truncation</c> block of a tokenizer.json says it. It is read and applied only on request.
/// </summary>
/// <param name="MaxLength">Tokens at most, those that are added among them.</param>
/// <param name="Stride">How many tokens the pieces that were cut off share with their neighbours.</param>
/// <param name="FromLeft">Cut off the beginning and keep the end.</param>
public sealed record Truncation(int MaxLength, TruncationStrategy Strategy = TruncationStrategy.LongestFirst, int Stride = 0, bool FromLeft = false)
{
    internal static Truncation? Read(JsonField field)
    {
        if (field.IsNull) return null;
        var strategy = field["strategy"].Choice(
            ("LongestFirst", TruncationStrategy.LongestFirst), ("OnlyFirst", TruncationStrategy.OnlyFirst), ("OnlySecond", TruncationStrategy.OnlySecond));
        var left = field["direction"] is { IsNull: false } direction && direction.Choice(("Left", true), ("Right", false));
        return new Truncation(field["max_length"].Count(), strategy, field["stride"].Count(), left);
    }

    /// <summary>Cuts one text or two. A length that the added tokens alone exceed cuts nothing, as in Hugging Face's library.</summary>
    /// <param name="added">How many tokens will be added.</param>
    internal void Apply(TokenEncoding first, TokenEncoding? second, int added)
    {
        var room = MaxLength - added;
        if (room < 0) return;
        var (one, two) = (first.Count, second?.Count ?? 0);
        var excess = one + two - room;
        if (excess <= 0) return;
        if (room == 0)
        {
            first.Truncate(this, 0);
            second?.Truncate(this, 0);
        }
        else if (Strategy == TruncationStrategy.LongestFirst)
        {
            var (keptOne, keptTwo) = second is null ? (room, 0) : Longest(one, two, room);
            first.Truncate(this, keptOne);
            second?.Truncate(this, keptTwo);
        }
        else
        {
            var target = Strategy == TruncationStrategy.OnlyFirst ? first : second;
            if (target is null) throw new RequestException("truncation: OnlySecond is asked for, but there is no second text");
            if (target.Count <= excess)
            {
                throw new RequestException($"truncation: {excess} tokens too many, but the text to be cut has only {target.Count}");
            }
            target.Truncate(this, target.Count - excess);
        }
    }

    /// <summary>The shorter text stays whole where it leaves the longer one at least as much, else each gets half.</summary>
    private static (int One, int Two) Longest(int one, int two, int room)
    {
        var (shorter, longer) = (Math.Min(one, two), 0);
        longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room) (shorter, longer) = (room / 2, room / 2 + room % 2);
        return one > two ? (longer, shorter) : (shorter, longer);
    }

    /// <summary>The part that is kept, and those that were cut off.</summary>
    internal IEnumerable<TextSpan> Parts(int count, int length)
    {
        var step = length - Stride;
        if (!FromLeft)
        {
            for (var start = 0; ; start += step)
            {
                yield return new TextSpan(start, Math.Min(start + length, count));
                if (start + length >= count) yield break;
            }
        }
        for (var end = count; ; end -= step)
        {
            yield return new TextSpan(Math.Max(0, end - length), end);
            if (end <= length) yield break;
        }
    }
}

/// <summary>How texts are filled to a length, as the <c>padding</c> block of a tokenizer.json says it. It is read and applied only on request.</summary>
/// <param name="Length">Null: to the longest of a batch.</param>
/// <param name="MultipleOf">The length is rounded up to a multiple.</param>
/// <param name="Left">Padding stands before the text.</param>
public sealed record Padding(int Id, string Token, int? Length = null, bool Left = false, int? MultipleOf = null, int TypeId = 0)
{
    internal static Padding? Read(JsonField field)
    {
        if (field.IsNull) return null;
        var strategy = field["strategy"];
        var length = strategy.Element.ValueKind == System.Text.Json.JsonValueKind.Object
            ? strategy["Fixed"].Count()
            : strategy.Choice(("BatchLongest", (int?)null));
        return new Padding(
            field["pad_id"].Count(),
            field["pad_token"].Text(),
            length,
            field["direction"].Choice(("Left", true), ("Right", false)),
            field["pad_to_multiple_of"] is { IsNull: false } multiple ? multiple.Count() : null,
            field["pad_type_id"].Count());
    }

    /// <summary>Fills all to one length.</summary>
    internal void Apply(IReadOnlyList<TokenEncoding> batch)
    {
        if (batch.Count == 0) return;
        var length = Length ?? batch.Max(encoding => encoding.Count);
        if (MultipleOf is > 0 and var multiple) length = (length + multiple - 1) / multiple * multiple;
        foreach (var encoding in batch) encoding.Pad(this, length);
    }
}
