using System.Runtime.InteropServices;

namespace LlmTune.Tokenization;

/// <summary>
/// A rendered conversation as tokens. The text is cut at the end of every prompt that the model sees at inference, and the parts are encoded
/// apart: a prompt then has the ids that it has alone, and what the model wrote before has the ids that it wrote. Without cuts a token could
/// reach over such a place ("\n" and "\n" are "\n\n"). Tokenizers that put something before every text, as Llama 2's, do not allow this: there
/// the text is encoded whole, and a prompt is exact where it happens to be.
/// </summary>
internal sealed class TurnTokens
{
    private readonly List<int> _ids = [];
    private readonly List<TextSpan> _spans = [];
    private readonly int _length;

    /// <summary>The number of tokens before each place up to which the ids are those of inference.</summary>
    private readonly Dictionary<int, int> _exact = [];

    /// <param name="prompts">Lengths of the prompts that the text begins with.</param>
    public TurnTokens(HfTokenizer tokenizer, string text, IEnumerable<int> prompts)
    {
        _length = text.Length;
        var places = prompts.Distinct().Order().ToList();
        if (places.Count == 0 || tokenizer.AllowsCuts) EncodeParts(tokenizer, text, places);
        else EncodeWhole(tokenizer, text, places);
    }

    public int[] Ids => [.. _ids];

    /// <summary>The ids of a conversation, and the tokens of its turns.</summary>
    /// <param name="opening">Length of the end of the text that opens the model's next turn.</param>
    public RenderedConversation Of(IReadOnlyList<TextTurn> turns, int opening)
    {
        var spans = new List<TurnSpan>(turns.Count);
        foreach (var turn in turns)
        {
            var isAssistant = turn.Role == Turns.Assistant;
            var exact = isAssistant && _exact.ContainsKey(turn.Prompt);
            var start = exact || !isAssistant ? From(turn.Start) : Containing(turn.Start);
            var end = Math.Max(start, From(turn.End));
            if (spans.Count > 0 && start < spans[^1].End)
            {
                // One token holds the end of a turn and the beginning of the next: it is the assistant's.
                if (isAssistant && spans[^1].Role != Turns.Assistant && start >= spans[^1].Start) spans[^1] = spans[^1] with { End = start };
                else start = spans[^1].End;
            }
            spans.Add(new TurnSpan(turn.Message, turn.Role, start, Math.Max(start, end)) { PromptIsExact = !isAssistant || exact });
        }
        return new RenderedConversation(Ids, spans) { Opening = opening == 0 ? 0 : Ids.Length - From(_length - opening) };
    }

    /// <summary>The tokens of a stretch of text: those that begin in it.</summary>
    public PartSpan Of(PartSpan part) => part with { Start = From(part.Start), End = From(part.End) };

    private void EncodeParts(HfTokenizer tokenizer, string text, List<int> places)
    {
        var from = 0;
        foreach (var place in places.Append(text.Length))
        {
            var (ids, spans) = tokenizer.EncodeSpans(text[from..place]);
            _ids.AddRange(ids);
            foreach (var span in spans) _spans.Add(new TextSpan(span.Start + from, span.End + from));
            if (place < text.Length || places.Contains(place)) _exact[place] = _ids.Count;
            from = place;
        }
    }

    /// <summary>Added tokens cut the text before the model sees it, so of a prompt only what stands behind the last of them is looked at.</summary>
    private void EncodeWhole(HfTokenizer tokenizer, string text, List<int> places)
    {
        var (ids, spans) = tokenizer.EncodeSpans(text);
        _ids.AddRange(ids);
        _spans.AddRange(spans);
        var cuts = tokenizer.AddedTokens.Where(t => !t.Normalized && !t.SingleWord).Select(t => t.Id).ToHashSet();
        foreach (var place in places)
        {
            var from = From(place) - 1;
            while (from > 0 && !cuts.Contains(_ids[from])) from--;
            from = Math.Max(0, from);
            var end = tokenizer.Encode(text[(from == 0 ? 0 : _spans[from].Start)..place]);
            if (CollectionsMarshal.AsSpan(ids)[from..].StartsWith(end)) _exact[place] = from + end.Length;
        }
    }

    /// <summary>The first token that begins at or behind a place in the text.</summary>
    private int From(int place)
    {
        if (_exact.TryGetValue(place, out var known)) return known;
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
