using System.Runtime.CompilerServices;

namespace LlmTune.Config;

/// <summary>A mistake in a run file or in an override.</summary>
public sealed record ConfigProblem(Place Place, string Message)
{
    public override string ToString() => $"{Place}: {Message}";
}

/// <summary>Every mistake of a request at once, one line each, in the order in which they stand there.</summary>
public sealed class ConfigException(IReadOnlyList<ConfigProblem> problems) : RequestException(string.Join('\n', problems))
{
    public IReadOnlyList<ConfigProblem> Problems { get; } = problems;
}

/// <summary>A value that its setting refuses.</summary>
/// <param name="problem">What follows the setting's name: <c>must be at least 1, got 0</c>.</param>
/// <param name="property">The property that refused it, for code that sets it without a run file.</param>
public sealed class ConfigValueException(string problem, [CallerMemberName] string property = "") : RequestException($"{property} {problem}")
{
    public string Problem { get; } = problem;
}
