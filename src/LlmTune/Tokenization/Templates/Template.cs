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
    private readonly Statement _root;

    private Template(string name, Statement root, bool hasGeneration) => (Name, _root, HasGeneration) = (name, root, hasGeneration);

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

    internal Rendered RenderValues(IEnumerable<KeyValuePair<string, object?>> variables, TimeProvider? clock = null, TemplateLimits? limits = null)
    {
        var rendering = new Rendering(limits ?? TemplateLimits.Default, clock ?? TimeProvider.System);
        foreach (var (name, value) in variables) rendering.Frame.Set(name, value);
        rendering.Frame = new Frame(rendering.Frame);
        try
        {
            _root.Execute(rendering);
        }
        catch (Fault fault)
        {
            throw new TemplateException(Name, rendering.Line, fault.Message, fault);
        }
        return rendering.Finish();
    }
}
