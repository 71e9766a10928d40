using LlmTune.Tokenization.Templates;

namespace LlmTune.Tokenization;

/// <summary>
/// Finds the text of one turn after the other. Where a turn ends is told, the first that can: by the pass of the template's loop that wrote
/// it, if that wrote nothing of others; by the conversation that ends with the turn, if the whole begins with it; by looking for what the
/// turn was when it was the last.
/// </summary>
internal sealed class TurnFinder
{
    private readonly RenderedWhole _whole;
    private readonly Rendered _rendered;
    private readonly Dictionary<int, Pass> _passes = [];

    /// <summary>A template marks its generation, and the marks are where they seem to be.</summary>
    private readonly bool _marked;

    /// <summary>The generation prompt after the whole conversation.</summary>
    private readonly Lazy<string> _next;
    private readonly Lazy<int> _opening;

    /// <summary>What ends the last turn of the model behind its pass: templates may end the others at the beginning of the next pass.</summary>
    private readonly Lazy<string> _closing;

    public TurnFinder(RenderedWhole whole)
    {
        (_whole, _rendered) = (whole, whole.Rendered);
        foreach (var pass in _rendered.Items)
        {
            _passes[pass.Item] = _passes.TryGetValue(pass.Item, out var p)
                ? new Pass(Math.Min(p.Start, pass.Start), Math.Max(p.End, pass.End), p.IsOne && pass.Start == p.End) : new Pass(pass.Start, pass.End, true);
        }
        _marked = whole.MarksGeneration && !_rendered.Misplaced;
        _next = new Lazy<string>(() => whole.Beginning(Messages.Count, true) is { } prompt && prompt.StartsWith(Text, StringComparison.Ordinal)
            ? prompt[Text.Length..] : "");
        _opening = new Lazy<int>(OpeningLength);
        _closing = new Lazy<string>(Closing);
    }

    /// <summary>
    /// Length of the end of the text that belongs to no turn: what the template writes behind the last pass whether it is asked to or not, and
    /// what stands before the model's turns.
    /// </summary>
    public int Opening => _opening.Value;

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
        var before = turns.LastOrDefault().End;
        var (found, end) = End(message, before) ?? throw Unclear(message);
        var start = exact >= 0 && exact <= end ? exact : found ?? Start(message);
        if (start > end || start < before) throw Unclear(message);
        turns.Add(new TextTurn(message, Turns.Assistant, start, end, exact == start ? exact : -1));
    }

    /// <summary>The whole of another's turn; where the template writes it outside of its loop, what lies between its neighbours.</summary>
    public void AddOther(int message, List<TextTurn> turns)
    {
        var before = turns.Count > 0 ? turns[^1].End : 0;
        var (start, end) = _passes.TryGetValue(message, out var pass) ? (Math.Max(before, pass.Start), pass.End) : (before, OtherEnd(message) ?? before);
        turns.Add(new TextTurn(message, Messages[message].Role, start, Math.Max(start, end), -1));
    }

    /// <summary>The end of another's turn that has no pass.</summary>
    private int? OtherEnd(int message)
    {
        if (message == 0 && _passes.TryGetValue(1, out var next)) return next.Start;
        if (PrefixEnd(message) is { } end) return end;
        // Within the pass of the call whose answer it is, if it is written at all.
        return message > 0 && IsAnswer(Messages[message]) && _passes.TryGetValue(Caller(message), out var caller) ? caller.End : null;
    }

    private void AddMarked(int message, int prompt, List<TextTurn> turns)
    {
        var spans = _rendered.Generated.Where(s => s.Item == message).ToList();
        if (spans.Count == 0 && _rendered.Generated.All(s => s.Item < 0)) spans = InOrder(message);
        var written = spans.Where(s => s.End > s.Start).ToList();
        var at = turns.Count > 0 ? turns[^1].End : 0;
        if (written.Count == 0) turns.Add(new TextTurn(message, Turns.Assistant, at, at, prompt));
        foreach (var span in written) turns.Add(new TextTurn(message, Turns.Assistant, span.Start, span.End, prompt));
    }

    /// <summary>Marks whose message is not known, one for each turn of the assistant.</summary>
    private List<RenderedSpan> InOrder(int message)
    {
        var turns = Messages.Count(m => m.Role == Turns.Assistant);
        if (_rendered.Generated.Count != turns) throw Unclear(message);
        return [_rendered.Generated[Messages.Take(message).Count(m => m.Role == Turns.Assistant)]];
    }

    /// <summary>Where a turn ends; and where it begins, if that is found on the way.</summary>
    private (int? Start, int End)? End(int message, int before)
    {
        if (message == Messages.Count - 1) return (null, Text.Length - Opening);
        if (_passes.TryGetValue(message, out var pass) && WroteNothingElse(message, pass))
            return (null, pass.End + (Text.AsSpan(pass.End).StartsWith(_closing.Value, StringComparison.Ordinal) ? _closing.Value.Length : 0));
        if (PrefixEnd(message) is { } end) return (null, end);
        if (Search(message, before) is { } found) return found;
        var answers = Messages.Skip(message + 1).TakeWhile(IsAnswer).Count();
        if (answers > 0 && WithoutAnswers(message, answers) is { } shared) return (null, shared);
        return _whole.Without(message, 1 + answers) == Text ? (before, before) : null;   // calls of earlier rounds, which some templates leave out
    }

    /// <summary>Whether a pass is one stretch of text and no other message is written within it: templates may write a tool's answer with its call.</summary>
    private bool WroteNothingElse(int message, Pass pass)
    {
        if (!pass.IsOne) return false;
        for (var i = message + 1; i < Messages.Count; i++)
        {
            if (_passes.TryGetValue(i, out var other)) return other.Start >= pass.End;
            if (!IsAnswer(Messages[i])) return true;
            if (!string.IsNullOrEmpty(Messages[i].Content) || Messages[i].Fields?.ContainsKey("content") == true) return false;
        }
        return true;
    }

    /// <summary>Whether a message is what a tool gave: it follows a turn of the model, and is neither the model's nor the user's.</summary>
    private static bool IsAnswer(Message message) => message.Role is not (Turns.Assistant or "user" or "system" or "developer");

    /// <summary>The turn whose calls a message answers.</summary>
    private int Caller(int message)
    {
        while (message > 0 && IsAnswer(Messages[message])) message--;
        return message;
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
        var opening = prompt is not null && prompt.StartsWith(before, StringComparison.Ordinal) ? prompt[before.Length..] : _next.Value;
        var common = Text.AsSpan(from, Text.AsSpan(from).CommonPrefixLength(opening));
        // "<|channel>" of the prompt and "<|call>" of the turn have no more in common than their beginnings.
        var tag = common.LastIndexOfAny('<', '[');
        return from + (tag >= 0 && common[tag..].IndexOfAny('>', ']') < 0 ? tag : common.Length);
    }

    /// <summary>Where a message ends by the conversation up to it, if the whole begins with that.</summary>
    private int? PrefixEnd(int message) =>
        Opening == 0 && _whole.Beginning(message + 1, addGenerationPrompt: false) is { } prefix && Text.StartsWith(prefix, StringComparison.Ordinal) ? prefix.Length : null;

    /// <summary>
    /// A turn by what it was when it was the last: the place behind the turn before it that has the most of its prompt in front. Templates write
    /// tools before the last question only, so that a conversation need not begin with its beginnings.
    /// </summary>
    private (int? Start, int End)? Search(int message, int before)
    {
        if (_whole.Beginning(message + 1, addGenerationPrompt: false) is not { } ended || _whole.Beginning(message, addGenerationPrompt: true) is not { } prompt) return null;
        if (!ended.StartsWith(prompt, StringComparison.Ordinal) || ended.Length - Opening <= prompt.Length) return null;
        var words = ended[prompt.Length..^Opening];
        var (best, shared) = (-1, 0);
        for (var at = Text.IndexOf(words, before, StringComparison.Ordinal); at >= 0; at = Text.IndexOf(words, at + 1, StringComparison.Ordinal))
        {
            var common = 0;
            while (common < prompt.Length && common < at && Text[at - 1 - common] == prompt[^(common + 1)]) common++;
            if (common > shared) (best, shared) = (at, common);
        }
        return best < 0 ? null : (best, best + words.Length);
    }

    /// <summary>Where a call ends within its pass: the text begins like the conversation without the call's answers up to there.</summary>
    private int? WithoutAnswers(int message, int answers)
    {
        if (!_passes.TryGetValue(message, out var pass) || _whole.Without(message + 1, answers) is not { } other) return null;
        var common = Math.Min(Text.AsSpan().CommonPrefixLength(other), pass.End);
        return common > pass.Start ? common : null;
    }

    private int OpeningLength()
    {
        var end = _passes.Count == 0 ? Text.Length : _passes.Values.Max(pass => pass.End);
        var tail = Text[end..];
        if (string.IsNullOrWhiteSpace(tail) || _whole.Beginning(Messages.Count, addGenerationPrompt: true) is not { } prompt) return 0;
        if (!prompt.StartsWith(Text, StringComparison.Ordinal) || !OpensTurns(prompt.AsSpan(end))) return 0;
        return prompt.Length == Text.Length || !Closes(tail, end) ? tail.Length : 0;
    }

    /// <summary>Whether this is what stands before a turn of the model in the conversation.</summary>
    private bool OpensTurns(ReadOnlySpan<char> opening)
    {
        for (var i = 0; i < Messages.Count; i++)
        {
            if (Messages[i].Role == Turns.Assistant && _whole.PromptLength(i) is >= 0 and var length)
                return Text.AsSpan(0, length).EndsWith(opening, StringComparison.Ordinal);
        }
        return false;
    }

    /// <summary>Whether the end of the text ends the last turn: it stands behind that turn too where the user goes on.</summary>
    private bool Closes(string tail, int from) =>
        _whole.With(new Message("user", "?")) is not { } other
        || (other.AsSpan().StartsWith(Text.AsSpan(0, from), StringComparison.Ordinal) && other.AsSpan(from).StartsWith(tail, StringComparison.Ordinal));

    private string Closing()
    {
        var last = Messages.Count - 1;
        while (Messages[last].Role != Turns.Assistant) last--;
        if (!_passes.TryGetValue(last, out var pass) || !pass.IsOne) return "";
        if (last == Messages.Count - 1) return Text[pass.End..^Opening];
        var ended = _whole.Beginning(last + 1, addGenerationPrompt: false);
        return Opening == 0 && ended is not null && ended.AsSpan().StartsWith(Text.AsSpan(0, pass.End), StringComparison.Ordinal) ? ended[pass.End..] : "";
    }

    private RequestException Unclear(int message) => new(
        $"{_whole.Template.Origin}: what the template writes for message {message + 1} ({Messages[message].Role}) cannot be told from what "
        + "it writes for the others; mark what the model writes with {% generation %} … {% endgeneration %} in the template, or set "
        + "model.chat_template to one that does");

    /// <summary>What the passes of a loop over the messages wrote of one of them.</summary>
    /// <param name="IsOne">Whether that is one stretch of text.</param>
    private readonly record struct Pass(int Start, int End, bool IsOne);
}
