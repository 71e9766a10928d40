using System.Buffers;
using Microsoft.ML.Tokenizers;

namespace LlmTune.Tokenization;

/// <content>
/// What Microsoft.ML.Tokenizers asks of a tokenizer. The file's whole pipeline always applies, no special tokens are added, and
/// offsets count in the text that was given.
/// </content>
public sealed partial class HfTokenizer
{
    public override string Decode(IEnumerable<int> ids) => Decode([.. ids], skipSpecialTokens: false);

    public override OperationStatus Decode(IEnumerable<int> ids, Span<char> destination, out int idsConsumed, out int charsWritten)
    {
        (idsConsumed, charsWritten) = (0, 0);
        var stream = Stream();
        foreach (var id in ids)
        {
            var text = stream.Add(id);
            if (!text.AsSpan().TryCopyTo(destination[charsWritten..])) return OperationStatus.DestinationTooSmall;
            charsWritten += text.Length;
            idsConsumed++;
        }
        var rest = stream.Finish();
        if (!rest.AsSpan().TryCopyTo(destination[charsWritten..])) return OperationStatus.DestinationTooSmall;
        charsWritten += rest.Length;
        return OperationStatus.Done;
    }

    protected override EncodeResults<EncodedToken> EncodeToTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        text ??= textSpan.ToString();
        var encoding = Full(text, null);
        var kept = Math.Min(encoding.Count, settings.MaxTokenCount);
        var tokens = new EncodedToken[kept];
        for (var i = 0; i < kept; i++)
        {
            var (start, end) = encoding.Spans[i];
            tokens[i] = new EncodedToken(encoding.Ids[i], encoding.Tokens[i], start..end);
        }
        return new EncodeResults<EncodedToken>
        {
            Tokens = tokens,
            NormalizedText = text,
            CharsConsumed = kept == encoding.Count ? text.Length : CutAfter(encoding, kept),
        };
    }

    protected override EncodeResults<int> EncodeToIds(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings)
    {
        text ??= textSpan.ToString();
        var ids = Ids(text);
        var most = settings.MaxTokenCount;
        return ids.Count <= most
            ? new EncodeResults<int> { Tokens = ids, NormalizedText = text, CharsConsumed = text.Length }
            : new EncodeResults<int> { Tokens = ids[..most], NormalizedText = text, CharsConsumed = CutAfter(Full(text, null), most) };
    }

    protected override int CountTokens(string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings) =>
        Math.Min(Ids(text ?? textSpan.ToString()).Count, settings.MaxTokenCount);

    protected override int GetIndexByTokenCount(
        string? text, ReadOnlySpan<char> textSpan, EncodeSettings settings, bool fromEnd, out string? normalizedText, out int tokenCount)
    {
        text ??= textSpan.ToString();
        normalizedText = text;
        var encoding = Full(text, null);
        tokenCount = Math.Min(encoding.Count, settings.MaxTokenCount);
        if (tokenCount == encoding.Count) return fromEnd ? 0 : text.Length;
        return fromEnd ? CutAfter(encoding, encoding.Count - tokenCount) : CutAfter(encoding, tokenCount);
    }

    /// <summary>Where the text of the token after so many begins.</summary>
    private static int CutAfter(TokenEncoding encoding, int count) => count < encoding.Count ? encoding.Spans[count].Start : 0;
}
