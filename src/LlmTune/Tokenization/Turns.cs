using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>A turn's text [Start, End) in the rendered conversation.</summary>
/// <param name="Prompt">Length of the text that the model sees at inference before the turn; −1 where the conversation does not begin with it.</param>
internal readonly record struct TextTurn(int Message, string Role, int Start, int End, int Prompt);

/// <summary>
/// Which text belongs to which turn. Where it ends is known from the template's loop over the messages: what one pass writes is one message's.
/// Where the model's part begins is known from the prompt that the model would see: the conversation before the turn with the generation
/// prompt; or from <c>{% generation %}</c> marks.
/// </summary>
internal static class Turns
{
    public const string Assistant = "assistant";

    public static List<TextTurn> Find(RenderedWhole whole)
    {
        var finder = new Finder(whole);
        var turns = new List<TextTurn>();
        for (var i = 0; i < whole.Conversation.Messages.Count; i++)
        {
            if (whole.Conversation.Messages[i].Role == Assistant) finder.AddAssistant(i, turns);
            else finder.AddOther(i, turns);
        }
        return turns;
    }

    /// <summary>Places in a rendered prompt where the model began to write: the ends of the prompts of earlier turns.</summary>
    public static List<int> Prompts(RenderedWhole whole)
    {
        var places = new List<int>();
        for (var i = 0; i < whole.Conversation.Messages.Count; i++)
        {
            if (whole.Conversation.Messages[i].Role != Assistant) continue;
            var length = whole.PromptLength(i);
            if (length >= 0) places.Add(length);
        }
        return places;
    }

    private sealed class Finder
    {
        private readonly RenderedWhole _whole;
        private readonly Rendered _rendered;
        private readonly Dictionary<int, (int Start, int End)> _passes = [];

        /// <summary>A template marks its generation, and the marks are where they seem to be.</summary>
        private readonly bool _marked;

        /// <summary>The generation prompt after the whole conversation.</summary>
        private readonly Lazy<string> _opening;

        public Finder(RenderedWhole whole)
        {
            (_whole, _rendered) = (whole, whole.Rendered);
            foreach (var pass in _rendered.Items)
                _passes[pass.Item] = _passes.TryGetValue(pass.Item, out var p) ? (Math.Min(p.Start, pass.Start), Math.Max(p.End, pass.End)) : (pass.Start, pass.End);
            _marked = whole.MarksGeneration && !_rendered.Misplaced;
            _opening = new Lazy<string>(() => whole.Beginning(Messages.Count, true) is { } prompt && prompt.StartsWith(Text, StringComparison.Ordinal)
                ? prompt[Text.Length..] : "");
        }

        private IReadOnlyList<Message> Messages => _whole.Conversation.Messages;

        private string Text => _rendered.Text;

        public void AddAssistant(int message, List<TextTurn> turns)
        {
            var exact = _whole.PromptLength(message);
            if (_marked)
            {
                AddMarked(message, exact, turns);
                return;
            }
            var end = End(message);
            var start = exact >= 0 && exact <= end ? exact : Start(message);
            if (start > end || start < turns.LastOrDefault().End) throw Unclear(message);
            turns.Add(new TextTurn(message, Assistant, start, end, exact == start ? exact : -1));
        }

        /// <summary>The whole of another's turn; where the template writes it outside of its loop, what lies between its neighbours.</summary>
        public void AddOther(int message, List<TextTurn> turns)
        {
            var before = turns.Count > 0 ? turns[^1].End : 0;
            var (start, end) = _passes.TryGetValue(message, out var pass) ? (Math.Max(before, pass.Start), pass.End)
                : _passes.Count > 0 ? (before, message == 0 ? Next(message) : before)
                : (before, PrefixEnd(message) ?? before);
            turns.Add(new TextTurn(message, Messages[message].Role, start, Math.Max(start, end), -1));
        }

        private void AddMarked(int message, int prompt, List<TextTurn> turns)
        {
            var spans = _rendered.Generated.Where(s => s.Item == message).ToList();
            if (spans.Count == 0 && _rendered.Generated.All(s => s.Item < 0)) spans = InOrder(message);
            var written = spans.Where(s => s.End > s.Start).ToList();
            var at = turns.Count > 0 ? turns[^1].End : 0;
            if (written.Count == 0) turns.Add(new TextTurn(message, Assistant, at, at, prompt));
            foreach (var span in written) turns.Add(new TextTurn(message, Assistant, span.Start, span.End, prompt));
        }

        /// <summary>Marks whose message is not known, one for each turn of the assistant.</summary>
        private List<RenderedSpan> InOrder(int message)
        {
            var turns = Messages.Count(m => m.Role == Assistant);
            if (_rendered.Generated.Count != turns) throw Unclear(message);
            return [_rendered.Generated[Messages.Take(message).Count(m => m.Role == Assistant)]];
        }

        private int End(int message)
        {
            if (message == Messages.Count - 1) return Text.Length;
            if (_passes.TryGetValue(message, out var pass)) return pass.End;
            return PrefixEnd(message) ?? throw Unclear(message);
        }

        /// <summary>
        /// Where a turn begins whose prompt the conversation does not begin with: behind what its text has in common with the generation prompt.
        /// </summary>
        private int Start(int message)
        {
            var prompt = _whole.Beginning(message, addGenerationPrompt: true);
            var before = _whole.Beginning(message, addGenerationPrompt: false) ?? "";
            var from = _passes.TryGetValue(message, out var pass) ? pass.Start
                : Text.StartsWith(before, StringComparison.Ordinal) ? before.Length : throw Unclear(message);
            var opening = prompt is not null && prompt.StartsWith(before, StringComparison.Ordinal) ? prompt[before.Length..] : _opening.Value;
            return from + Text.AsSpan(from).CommonPrefixLength(opening);
        }

        private int Next(int message)
        {
            var later = _passes.Where(p => p.Key > message).ToList();
            return later.Count > 0 ? later.Min(p => p.Value.Start) : Text.Length;
        }

        /// <summary>Where a message ends by the conversation up to it, if the whole begins with that.</summary>
        private int? PrefixEnd(int message) =>
            _whole.Beginning(message + 1, addGenerationPrompt: false) is { } prefix && Text.StartsWith(prefix, StringComparison.Ordinal) ? prefix.Length : null;

        private RequestException Unclear(int message) => new(
            $"{_whole.Template.Origin}: what the template writes for message {message + 1} ({Messages[message].Role}) cannot be told from what "
            + "it writes for the others; mark what the model writes with {% generation %} … {% endgeneration %} in the template, or set "
            + "model.chat_template to one that does");
    }
}
