namespace LlmTune.Tokenization;

public sealed partial class HfTokenizer
{
    /// <summary>The text of ids. Ids that no token has are left out.</summary>
    /// <param name="skipSpecialTokens">Leaves out what <see cref="IsSpecial"/> names.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var text = new TextCollector();
        var writer = _parts.Decoder.Start(text, eager: false);
        foreach (var id in ids)
        {
            if (DecodedToken(id, skipSpecialTokens) is { } token) writer.Write(token, begins: true);
        }
        writer.End();
        return text.Take();
    }

    /// <summary>Decodes ids that come one by one.</summary>
    public StreamDecoder Stream(bool skipSpecialTokens = false) => new(_parts.Decoder, id => DecodedToken(id, skipSpecialTokens));

    /// <summary>
    /// What the decoder gets of an id; null where it is left out. A special token that is looked for in the normalized text, and is
    /// not the same there, has no role to be left out by: Hugging Face's library keeps those too.
    /// </summary>
    private string? DecodedToken(int id, bool skipSpecialTokens)
    {
        if (skipSpecialTokens && (_added.IsSpecial(id) || _roles.Contains(id))) return null;
        return _added.DecodedToken(id) ?? _parts.Model.Vocabulary.Token(id);
    }
}
