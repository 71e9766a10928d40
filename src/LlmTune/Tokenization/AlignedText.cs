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

    private AlignedText(string text, TextSpan[]? origins, int begin) => (Text, _origins, Begin) = (text, origins, begin);

    public string Text { get; private set; }

    /// <summary>Whether origins are kept.</summary>
    public bool Tracked => _origins is not null;

    /// <summary>Where the stretch of the original begins that this text was made from.</summary>
    public int Begin { get; }

    public static AlignedText Untracked(string text, int begin) => new(text, null, begin);

    /// <summary>A stretch of the original, unchanged.</summary>
    public static AlignedText Of(string original, int start, int end)
    {
        var origins = new TextSpan[end - start];
        for (var i = start; i < end;)
        {
            var length = char.IsHighSurrogate(original[i]) && i + 1 < end ? 2 : 1;
            origins.AsSpan(i - start, length).Fill(new TextSpan(i, i + length));
            i += length;
        }
        return new AlignedText(original[start..end], origins, start);
    }

    /// <summary>Where a stretch of this text came from. Only where tracked.</summary>
    public TextSpan Origin(int start, int end) => new(_origins![start].Start, end > start ? _origins[end - 1].End : _origins[start].Start);

    public AlignedText Slice(int start, int end) => start == 0 && end == Text.Length
        ? new AlignedText(Text, _origins, Begin)
        : new AlignedText(Text[start..end], _origins?[start..end], _origins is null ? Begin + start : _origins[start].Start);

    /// <summary>Another text in place of an untracked one.</summary>
    public void Set(string text) => (Text, _origins) = (text, null);

    /// <summary>Another text; each of its units came from a stretch that begins at a place of the old text and reaches to the next unit's.</summary>
    /// <param name="starts">One more than the text has units; empty for an empty text.</param>
    public void Rewrite(string text, List<int> starts)
    {
        if (_origins is { } old)
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
        if (_origins is not null)
        {
            var origins = new TextSpan[prefix.Length + _origins.Length];
            origins.AsSpan(0, prefix.Length).Fill(_origins[0]);
            _origins.CopyTo(origins, prefix.Length);
            _origins = origins;
        }
        Text = prefix + Text;
    }

    /// <summary>Puts <paramref name="content"/> in the place of each match; it has the origin of the match's last character.</summary>
    public void Replace(IReadOnlyList<TextSpan> matches, string content)
    {
        if (matches.Count == 0) return;
        var text = new StringBuilder(Text.Length + matches.Count * content.Length);
        var origins = _origins is null ? null : new List<TextSpan>(Text.Length);
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
        var origins = _origins is null ? null : new List<TextSpan>(Text.Length);
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
        var origins = _origins is null ? null : new List<TextSpan>(Text.Length);
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
        var origins = _origins is null ? null : new List<TextSpan>(Text.Length);
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
