namespace LlmTune.Tokenization;

/// <summary>A piece is an entry or unknown.</summary>
internal sealed class WordLevel(Vocabulary vocabulary, int unknown) : TokenModel
{
    public override Vocabulary Vocabulary => vocabulary;

    public static WordLevel FromJson(JsonField field)
    {
        var vocabulary = Vocabulary.Read(field["vocab"]);
        var unknown = field["unk_token"];
        return new WordLevel(vocabulary, vocabulary.Id(unknown.Text()) ?? throw unknown.Error($"\"{unknown.Text()}\" is not in the vocabulary"));
    }

    public override void Encode(ReadOnlySpan<char> piece, TokenSink sink) =>
        sink.Add(vocabulary.TryGetId(piece, out var id) ? id : unknown, 0, piece.Length);
}
