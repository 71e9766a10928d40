namespace LlmTune.Tokenization.Templates;

/// <summary>A template cannot be parsed or rendered. The message reads <c>name:line: problem</c>, and the problem is put as Jinja puts it.</summary>
public sealed class TemplateException(string template, int line, string problem, Exception? inner = null)
    : RequestException($"{template}:{line}: {problem}", inner)
{
    public string Template { get; } = template;
    public int Line { get; } = line;
    public string Problem { get; } = problem;
}

/// <summary>What goes wrong while a template is evaluated; <see cref="Template"/> adds the name and the line.</summary>
internal sealed class Fault(string problem) : Exception(problem);
