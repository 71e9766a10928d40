using System.Text;

namespace LlmTune.Tokenization;

/// <summary>
/// One character of a changed text: 1 where it is new, 0 where it stands for one of the old text, −n where it stands for that one
/// and n more.
/// </summary>
internal readonly record struct Change(Rune Rune, int Delta);

/// <summary>
/// Text on its way through normalizers and pre-tokenizers. Where spans are wanted, it knows for each of its UTF-16 units the
/// stretch of the original that the unit came from; where they are not, it is just a string.
/// </summary>
internal sealed class AlignedText
{
    private TextSpan[]? _origins;

    private AlignedText(string text, bool tracked, TextSpan[]? origins, int begin) => (Text, Tracked, _origins, Begin) = (text, tracked, origins, begin);

    public string Text { get; private set; }

    /// <summary>Whether origins are kept.</summary>
    public bool Tracked { get; }

    /// <summary>Where each unit came from, null where untracked; of a text that nothing has changed yet they are made when they are needed.</summary>
    private TextSpan[]? Origins => Tracked ? _origins ??= Unchanged() : null;

    /// <summary>Where the stretch of the original begins that this text was made from.</summary>
    public int Begin { get; }

    public static AlignedText Untracked(string text, int begin) => new(text, false, null, begin);

    /// <summary>A stretch of the original, unchanged.</summary>
    public static AlignedText Of(string original, int start, int end) => new(original[start..end], true, null, start);

    /// <summary>Where a stretch of this text came from, whole characters. Only where tracked.</summary>
    public TextSpan Origin(int start, int end)
    {
        if (_origins is { } origins) return new TextSpan(origins[start].Start, end > start ? origins[end - 1].End : origins[start].Start);
        var first = IsInPair(start) ? start - 1 : start;
        return new TextSpan(Begin + first, Begin + (end <= start ? first : IsInPair(end) ? end + 1 : end));
    }

    public AlignedText Slice(int start, int end)
    {
        if (start == 0 && end == Text.Length) return new AlignedText(Text, Tracked, _origins, Begin);
        if (IsInPair(start) || IsInPair(end)) _ = Origins;
        return _origins is { } origins
            ? new AlignedText(Text[start..end], true, origins[start..end], origins[start].Start)
            : new AlignedText(Text[start..end], Tracked, null, Begin + start);
    }

    /// <summary>Another text in place of an untracked one.</summary>
    public void Set(string text) => Text = text;

    /// <summary>Another text; each of its units came from a stretch that begins at a place of the old text and reaches to the next unit's.</summary>
    /// <param name="starts">One more than the text has units; empty for an empty text.</param>
    public void Rewrite(string text, List<int> starts)
    {
        if (Origins is { } old)
        {
            var origins = new TextSpan[text.Length];
            for (var i = 0; i < origins.Length; i++) origins[i] = new TextSpan(OriginOf(starts[i]), OriginOf(starts[i + 1]));
            _origins = origins;

            int OriginOf(int place) => place < old.Length ? old[place].Start : old[^1].End;
        }
        Text = text;
    }

    /// <summary>Puts something before a text that is not empty; it has the origin of the first character.</summary>
    public void Prepend(string prefix)
    {
        if (Text.Length == 0) return;
        if (Origins is { Length: > 0 } old)
        {
            var origins = new TextSpan[prefix.Length + old.Length];
            origins.AsSpan(0, prefix.Length).Fill(old[0]);
            old.CopyTo(origins, prefix.Length);
            _origins = origins;
        }
        Text = prefix + Text;
    }

    /// <summary>Puts <paramref name="content"/> in the place of each match; it has the origin of the match's last character.</summary>
    public void Replace(IReadOnlyList<TextSpan> matches, string content)
    {
        if (matches.Count == 0) return;
        var text = new StringBuilder(Text.Length + matches.Count * content.Length);
        var origins = Origins is null ? null : new List<TextSpan>(Text.Length);
        var done = 0;
        foreach (var match in matches)
        {
            text.Append(Text, done, match.Start - done).Append(content);
            if (origins is not null)
            {
                origins.AddRange(_origins.AsSpan(done, match.Start - done));
                var origin = match.End == 0 ? StartOnly() : _origins![match.End - 1];
                for (var i = 0; i < content.Length; i++) origins.Add(origin);
            }
            done = match.End;
        }
        text.Append(Text, done, Text.Length - done);
        origins?.AddRange(_origins.AsSpan(done));
        (Text, _origins) = (text.ToString(), origins?.ToArray());
    }

    /// <summary>Drops the characters that are not kept.</summary>
    public void Filter(Func<Rune, bool> keep)
    {
        var text = new StringBuilder(Text.Length);
        var origins = Origins is null ? null : new List<TextSpan>(Text.Length);
        for (var i = 0; i < Text.Length;)
        {
            var rune = Utf16.RuneAt(Text, i, out var length);
            if (keep(rune))
            {
                text.Append(Text, i, length);
                origins?.AddRange(_origins.AsSpan(i, length));
            }
            i += length;
        }
        if (text.Length < Text.Length) (Text, _origins) = (text.ToString(), origins?.ToArray());
    }

    /// <summary>Puts a text of its own in the place of each character.</summary>
    public void Map(Func<Rune, string> map)
    {
        var text = new StringBuilder(Text.Length);
        var origins = Origins is null ? null : new List<TextSpan>(Text.Length);
        for (var i = 0; i < Text.Length;)
        {
            var mapped = map(Utf16.RuneAt(Text, i, out var length));
            text.Append(mapped);
            for (var k = 0; origins is not null && k < mapped.Length; k++) origins.Add(_origins![i]);
            i += length;
        }
        (Text, _origins) = (text.ToString(), origins?.ToArray());
    }

    /// <summary>The text that <paramref name="changes"/> describe, after the first <paramref name="skipped"/> characters are dropped.</summary>
    public void Transform(IEnumerable<Change> changes, int skipped = 0)
    {
        var text = new StringBuilder(Text.Length);
        var origins = Origins is null ? null : new List<TextSpan>(Text.Length);
        var position = Forward(0, skipped);
        foreach (var (rune, delta) in changes)
        {
            text.Append(rune.ToString());
            if (origins is not null)
            {
                var origin = delta <= 0 ? _origins![position] : position == 0 ? StartOnly() : _origins![position - 1];
                for (var i = 0; i < rune.Utf16SequenceLength; i++) origins.Add(origin);
            }
            if (delta <= 0) position = Forward(position, 1 - delta);
        }
        (Text, _origins) = (text.ToString(), origins?.ToArray());
    }

    private TextSpan StartOnly() => new(_origins![0].Start, _origins[0].Start);

    /// <summary>Whether a place lies between the two units of one character.</summary>
    private bool IsInPair(int place) => place > 0 && place < Text.Length && char.IsLowSurrogate(Text[place]) && char.IsHighSurrogate(Text[place - 1]);

    /// <summary>The origins of a stretch as it stands in the original: each unit comes from its whole character.</summary>
    private TextSpan[] Unchanged()
    {
        var origins = new TextSpan[Text.Length];
        for (var i = 0; i < origins.Length;)
        {
            var length = char.IsHighSurrogate(Text[i]) && i + 1 < origins.Length ? 2 : 1;
            origins.AsSpan(i, length).Fill(new TextSpan(Begin + i, Begin + i + length));
            i += length;
        }
        return origins;
    }

    private int Forward(int position, int runes)
    {
        for (; runes > 0 && position < Text.Length; runes--)
        {
            Utf16.RuneAt(Text, position, out var length);
            position += length;
        }
        return position;
    }
}
