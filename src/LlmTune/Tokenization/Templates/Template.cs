using System.Text.Json.Nodes;

namespace LlmTune.Tokenization.Templates;

/// <summary>What a template may use up before it is stopped: it comes with a model, so it is input that nobody has checked.</summary>
/// <param name="Steps">Evaluated nodes, list elements and sixteenths of a character of text made.</param>
/// <param name="Depth">Macros and recursive loops inside one another.</param>
/// <param name="Characters">Length of the output, and of any text on the way to it.</param>
public sealed record TemplateLimits(long Steps = 20_000_000, int Depth = 200, int Characters = 32_000_000)
{
    public static readonly TemplateLimits Default = new();
}

/// <summary>A stretch of rendered text, in UTF-16 units: [Start, End).</summary>
/// <param name="Item">The marked list element (see <see cref="PyDict.Mark"/>) that was being looped over, −1 for none.</param>
public readonly record struct RenderedSpan(int Start, int End, int Item = -1);

/// <summary>What a template made of its variables.</summary>
/// <param name="Generated">The <c>{% generation %}</c> blocks, in the order in which they ended.</param>
/// <param name="Items">What each pass of a loop over marked elements wrote; empty passes are left out.</param>
/// <param name="Misplaced">
/// A <c>{% generation %}</c> block was rendered into a variable or by a macro and its text stands elsewhere: Jinja reports a wrong span there too.
/// </param>
public sealed record Rendered(string Text, IReadOnlyList<RenderedSpan> Generated, IReadOnlyList<RenderedSpan> Items, bool Misplaced);

/// <summary>
/// A Jinja2 template as transformers sets it up for chat: ImmutableSandboxedEnvironment, trim_blocks, lstrip_blocks, break and continue,
/// <c>{% generation %}</c>, tojson without HTML escaping, raise_exception, strftime_now. Parsed once; rendering is thread safe.
/// </summary>
public sealed class Template
{
    private readonly Block _root;

    /// <summary>What follows the loop over the messages has been found to depend on its passes, so it is not tried again.</summary>
    private bool _restDepends;

    private Template(string name, Block root, bool hasGeneration) => (Name, _root, HasGeneration) = (name, root, hasGeneration);

    /// <summary>The name that errors carry.</summary>
    public string Name { get; }

    /// <summary>Whether the template says itself what the model writes, by <c>{% generation %}</c>.</summary>
    public bool HasGeneration { get; }

    /// <exception cref="TemplateException">The source is not a template.</exception>
    public static Template Parse(string source, string name = "template")
    {
        var parser = new Parser(Lexer.Tokenize(source), name);
        return new Template(name, parser.ParseTemplate(), parser.SawGeneration);
    }

    /// <exception cref="TemplateException">The template refuses the variables, fails on them, or takes too much.</exception>
    public Rendered Render(JsonObject variables, TimeProvider? clock = null, TemplateLimits? limits = null) =>
        RenderValues(variables.Select(v => KeyValuePair.Create(v.Key, PyJson.Read(v.Value))), clock, limits);

    /// <param name="trace">Learns what the beginnings of the conversation would give.</param>
    internal Rendered RenderValues(
        IEnumerable<KeyValuePair<string, object?>> variables, TimeProvider? clock = null, TemplateLimits? limits = null, Trace? trace = null)
    {
        var rendering = new Rendering(limits ?? TemplateLimits.Default, clock ?? TimeProvider.System) { Trace = trace };
        foreach (var (name, value) in variables) rendering.Frame.Set(name, value);
        rendering.Frame = new Frame(rendering.Frame);
        try
        {
            if (trace is null) _root.Execute(rendering);
            else Watch(rendering, trace);
        }
        catch (Fault fault)
        {
            throw new TemplateException(Name, rendering.Line, fault.Message, fault);
        }
        return rendering.Finish();
    }

    /// <summary>Executes the template; behind the loop over the messages it looks first at how the text goes on where it is a prompt.</summary>
    private void Watch(Rendering r, Trace trace)
    {
        r.Step();
        var (statements, loopEnd) = (_root.Statements, -1);
        for (var i = 0; i < statements.Length; i++)
        {
            trace.Loop = loopEnd < 0 ? statements[i] as For : null;
            if (statements[i].Execute(r) != Flow.Next) return;
            if (trace.Loop is null || !trace.HasPasses) continue;
            loopEnd = r.Position;
            trace.PromptEnd = _restDepends ? null : r.AsPrompt(statements.AsSpan(i + 1), trace);
            _restDepends = trace.PromptEnd is null;
            trace.InRest = true;
        }
        if (loopEnd >= 0 && !trace.RestDepends) trace.End = r.Since(loopEnd);
    }
}
