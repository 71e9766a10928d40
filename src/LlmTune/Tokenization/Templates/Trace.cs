namespace LlmTune.Tokenization.Templates;

/// <summary>The messages of a conversation, or all from one on, in a rendering that is watched (see <see cref="Trace"/>).</summary>
internal sealed class Transcript(IEnumerable<object?> messages) : List<object?>(messages)
{
    /// <summary>The number of its first message in the conversation.</summary>
    public int Offset { get; init; }
}

/// <summary>
/// Watches the rendering of a conversation, so that what its beginnings would give is known without rendering them. A conversation of the
/// first k messages takes the same course up to the moment when the template looks at a later message or at the end of the list. In most
/// templates that moment comes when the loop over the messages reaches message k, and what follows is the rest of the template behind the
/// loop. The rest is carried out once as for a prompt; if it looks at nothing that the passes of the loop may have changed, it writes the same
/// behind every beginning. Where anything else is looked at, nothing is said, and the beginning has to be rendered.
/// </summary>
internal sealed class Trace
{
    /// <summary>The variable that asks for the place where the model's turn begins.</summary>
    public const string PromptFlag = "add_generation_prompt";

    private readonly Dictionary<int, int> _passes = [];
    private int _seen;
    private bool _asked;

    /// <summary>The loop, a statement of the template itself, whose passes are noted.</summary>
    public For? Loop { get; set; }

    /// <summary>The rest of the template behind the loop is being carried out.</summary>
    public bool InRest { get; set; }

    /// <summary>The rest is carried out for a look only: it ends with a fault before it sees, or changes, what the passes may have changed.</summary>
    public bool IsTrial { get; set; }

    /// <summary>The rest has looked at something that the passes may have changed.</summary>
    public bool RestDepends { get; private set; }

    public bool HasPasses => _passes.Count > 0;

    /// <summary>What the rest writes where the model's turn is to begin; null where that is not the same for every beginning.</summary>
    public string? PromptEnd { get; set; }

    /// <summary>What the rest has written here; null where that is not the same for every beginning.</summary>
    public string? End { get; set; }

    /// <summary>Length of the text of the first <paramref name="messages"/> before the rest; null where it is not known.</summary>
    public int? Shared(int messages) => _passes.TryGetValue(messages, out var position) ? position : null;

    /// <summary>The loop is about to look for a message, having written up to a position.</summary>
    public void Pass(int message, int position)
    {
        if (_seen <= message && !_asked) _passes.TryAdd(message, position);
    }

    public void See(int message)
    {
        if (InRest) SeeChangeable();
        else _seen = Math.Max(_seen, message + 1);
    }

    /// <summary>Something is looked at that is another for every beginning: the length, the last message.</summary>
    public void SeeAll() => See(int.MaxValue - 1);

    /// <summary>A message is looked at by its index. One behind the end is not there for any beginning either.</summary>
    public void See(Transcript messages, long index)
    {
        if (index < 0) SeeAll();
        else if (index < messages.Count) See(messages.Offset + (int)index);
        else SeeChangeable();
    }

    /// <summary>A value is looked at, or changed, that can change from pass to pass.</summary>
    public void SeeChangeable()
    {
        if (!InRest) return;
        if (IsTrial) throw new Fault("what the passes of the loop may have changed");
        RestDepends = true;
    }

    /// <summary>A variable is read for a use that is not looked into further.</summary>
    public void Read(string name, object? value)
    {
        if (value is Transcript or Templates.Loop) SeeAll();
        else if (value is Namespace or Stateful or PyIterator) SeeChangeable();
        else if (!InRest && name == PromptFlag) _asked = true;
    }

    /// <summary>
    /// The value of an expression for a use that notes itself what it looks at: looping, taking an item or a member, giving it another name.
    /// </summary>
    public static object? Unseen(Expression expression, Rendering r)
    {
        if (r.Trace is not { } trace) return expression.Evaluate(r);
        switch (expression)
        {
            case Slice slice:
                return slice.Unseen(r);
            case Variable variable:
                var value = variable.Find(r);
                if (value is Transcript or Templates.Loop) trace.SeeChangeable();
                else trace.Read(variable.Name, value);
                return value;
            default:
                return expression.Evaluate(r);
        }
    }
}
