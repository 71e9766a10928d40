namespace LlmTune.Tokenization;

/// <summary>Turns a piece of text into tokens of a vocabulary. Models may be used from several threads.</summary>
internal abstract class TokenModel
{
    public abstract Vocabulary Vocabulary { get; }

    /// <summary>Adds the tokens of a piece that is not empty; their spans count from the piece's start.</summary>
    public abstract void Encode(ReadOnlySpan<char> piece, TokenSink sink);

    public static TokenModel Read(JsonField field, bool onBytes)
    {
        if (field.IsNull) throw field.Error("is missing; a tokenizer.json has a model with its vocabulary");
        field.Object();
        var type = field["type"].TextOrNull() ?? Guess(field);
        return type switch
        {
            "BPE" => Bpe.FromJson(field, onBytes),
            "WordPiece" => WordPiece.FromJson(field),
            "WordLevel" => WordLevel.FromJson(field),
            "Unigram" => Unigram.FromJson(field),
            _ => throw field["type"].Error($"\"{type}\" is not a known model (BPE, WordPiece, WordLevel, Unigram)"),
        };
    }

    /// <summary>Files of 2020 do not name the model.</summary>
    private static string Guess(JsonField field) =>
        !field["merges"].IsNull ? "BPE"
        : !field["max_input_chars_per_word"].IsNull ? "WordPiece"
        : field["vocab"].Element.ValueKind == System.Text.Json.JsonValueKind.Array ? "Unigram"
        : !field["unk_token"].IsNull ? "WordLevel"
        : throw field["type"].Error("is missing, and the fields do not tell whether the model is BPE, WordPiece, WordLevel or Unigram");
}

/// <summary>Collects ids, and where they are wanted the spans of the tokens, and their texts and the numbers of their pieces.</summary>
internal sealed class TokenSink(bool spans, bool texts = false)
{
    private int _word;

    public List<int> Ids { get; } = [];

    public List<TextSpan>? Spans { get; } = spans ? [] : null;

    public List<string>? Texts { get; } = texts ? [] : null;

    public List<int>? Words { get; } = texts ? [] : null;

    public void Add(int id, int start, int end)
    {
        Ids.Add(id);
        Spans?.Add(new TextSpan(start, end));
    }

    /// <summary>A token that is a piece of its own.</summary>
    public void AddWord(int id, TextSpan span, string text)
    {
        Ids.Add(id);
        Spans?.Add(span);
        Texts?.Add(text);
        Words?.Add(_word++);
    }

    /// <summary>All tokens since the last one's are those of a piece.</summary>
    public void EndWord(Vocabulary vocabulary)
    {
        if (Texts is null) return;
        for (var i = Texts.Count; i < Ids.Count; i++)
        {
            Texts.Add(vocabulary.Token(Ids[i])!);
            Words!.Add(_word);
        }
        _word++;
    }
}
