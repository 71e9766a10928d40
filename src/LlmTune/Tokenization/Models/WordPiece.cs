namespace LlmTune.Tokenization;

/// <summary>
/// BERT's model: from left to right the longest entry, with a prefix where it does not begin the word; one part missing makes the
/// word unknown.
/// </summary>
internal sealed class WordPiece(Vocabulary vocabulary, int unknown, string prefix, int longestWord) : TokenModel
{
    private readonly int _longestEntry = vocabulary.Entries.Select(entry => entry.Key.Length).DefaultIfEmpty(0).Max();

    public override Vocabulary Vocabulary => vocabulary;

    public static WordPiece FromJson(JsonField field)
    {
        var vocabulary = Vocabulary.Read(field["vocab"]);
        var unknown = field["unk_token"];
        return new WordPiece(
            vocabulary,
            vocabulary.Id(unknown.Text()) ?? throw unknown.Error($"\"{unknown.Text()}\" is not in the vocabulary"),
            field["continuing_subword_prefix"].Text(),
            field["max_input_chars_per_word"].Count());
    }

    public override void Encode(ReadOnlySpan<char> piece, TokenSink sink)
    {
        var before = sink.Ids.Count;
        if (CountRunes(piece) <= longestWord && Parts(piece, sink)) return;
        sink.Ids.RemoveRange(before, sink.Ids.Count - before);
        sink.Spans?.RemoveRange(before, sink.Spans.Count - before);
        sink.Add(unknown, 0, piece.Length);
    }

    private bool Parts(ReadOnlySpan<char> piece, TokenSink sink)
    {
        Span<char> buffer = stackalloc char[Math.Min(prefix.Length + piece.Length, 512)];
        for (var start = 0; start < piece.Length;)
        {
            var end = Math.Min(piece.Length, start + _longestEntry);
            for (; end > start; end--)
            {
                if (end < piece.Length && char.IsLowSurrogate(piece[end])) continue;
                var part = piece[start..end];
                if (Vocabulary.TryGetId(start == 0 ? part : WithPrefix(part, buffer), out var id))
                {
                    sink.Add(id, start, end);
                    break;
                }
            }
            if (end == start) return false;
            start = end;
        }
        return true;
    }

    private ReadOnlySpan<char> WithPrefix(ReadOnlySpan<char> part, Span<char> buffer)
    {
        if (prefix.Length == 0) return part;
        if (prefix.Length + part.Length > buffer.Length) return prefix + part.ToString();
        prefix.CopyTo(buffer);
        part.CopyTo(buffer[prefix.Length..]);
        return buffer[..(prefix.Length + part.Length)];
    }

    private static int CountRunes(ReadOnlySpan<char> text)
    {
        var count = text.Length;
        foreach (var c in text)
        {
            if (char.IsLowSurrogate(c)) count--;
        }
        return count;
    }
}
