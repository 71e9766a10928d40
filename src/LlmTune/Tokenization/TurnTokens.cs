using System.Runtime.InteropServices;

namespace LlmTune.Tokenization;

/// <summary>
/// A rendered conversation as tokens. It is encoded as one text, as at inference. Only where a token would reach over the border between a
/// prompt and what the model writes is the text encoded in two parts there, so that the prompt has the ids that it has alone; where the
/// tokenizer does not allow that (it puts a space before every text), the tokens up to the border are left as they are.
/// </summary>
internal sealed class TurnTokens
{
    private readonly HfTokenizer _tokenizer;
    private readonly string _text;
    private readonly List<int> _ids;
    private readonly List<TextSpan> _spans;
    private readonly HashSet<int> _cuts;

    public TurnTokens(HfTokenizer tokenizer, string text)
    {
        (_tokenizer, _text) = (tokenizer, text);
        var encoding = tokenizer.EncodeFull(text, addSpecialTokens: false);
        (_ids, _spans) = ([.. encoding.Ids], [.. encoding.Spans]);
        _cuts = [.. tokenizer.AddedTokens.Where(t => !t.Normalized && !t.SingleWord).Select(t => t.Id)];
    }

    /// <summary>The ids of a conversation, and the tokens of its turns.</summary>
    public RenderedConversation Of(IReadOnlyList<TextTurn> turns)
    {
        var exact = turns.Select(t => t.Prompt >= 0 && IsExact(t.Prompt)).ToArray();
        var spans = new TurnSpan[turns.Count];
        for (var i = 0; i < spans.Length; i++)
        {
            var turn = turns[i];
            var isAssistant = turn.Role == Turns.Assistant;
            var start = isAssistant && !exact[i] ? Containing(turn.Start) : From(turn.Start);
            spans[i] = new TurnSpan(turn.Message, turn.Role, start, Math.Max(start, From(turn.End))) { PromptIsExact = !isAssistant || exact[i] };
        }
        return new RenderedConversation([.. _ids], spans);
    }

    /// <summary>The ids of a prompt in which the model has written before.</summary>
    public int[] Prompt(IReadOnlyList<int> places)
    {
        foreach (var place in places) IsExact(place);
        return [.. _ids];
    }

    /// <summary>
    /// Whether the tokens up to a place in the text are those of the text up to there; makes them so where it can. Added tokens cut the text
    /// before the model sees it, so only what stands behind the last of them, and before the next, needs to be looked at.
    /// </summary>
    private bool IsExact(int place)
    {
        var from = From(place) - 1;
        while (from > 0 && !_cuts.Contains(_ids[from])) from--;
        if (from < 0) return place == 0;
        var start = from == 0 ? 0 : _spans[from].Start;
        var head = _tokenizer.EncodeFull(_text[start..place], addSpecialTokens: false);
        var standing = CollectionsMarshal.AsSpan(_ids)[from..];
        if (standing.Length >= head.Count && standing[..head.Count].SequenceEqual(head.Ids)) return true;

        var end = from + 1;
        while (end < _ids.Count && (_spans[end].Start < place || !_cuts.Contains(_ids[end]))) end++;
        var stop = end < _ids.Count ? _spans[end].Start : _text.Length;
        var tail = _tokenizer.EncodeFull(_text[place..stop], addSpecialTokens: false);
        if (Pieces(head.Ids) + Pieces(tail.Ids) != Pieces(_ids[from..end])) return false;
        _ids.RemoveRange(from, end - from);
        _ids.InsertRange(from, [.. head.Ids, .. tail.Ids]);
        _spans.RemoveRange(from, end - from);
        _spans.InsertRange(from, [.. head.Spans.Select(s => new TextSpan(s.Start + start, s.End + start)), .. tail.Spans.Select(s => new TextSpan(s.Start + place, s.End + place))]);
        return true;
    }

    private string Pieces(IEnumerable<int> ids) => string.Concat(ids.Select(_tokenizer.Token));

    /// <summary>The first token that begins at or behind a place in the text.</summary>
    private int From(int place)
    {
        var (low, high) = (0, _spans.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_spans[middle].Start < place) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    /// <summary>The token that a place in the text lies in.</summary>
    private int Containing(int place)
    {
        var at = From(place);
        while (at > 0 && _spans[at - 1].End > place) at--;
        return at;
    }
}
