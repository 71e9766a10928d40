namespace LlmTune.Config;

/// <summary>A name that a run file does not know.</summary>
/// <param name="Section">Where it stands; empty at the top.</param>
/// <param name="Value">What stands behind it.</param>
/// <param name="IsOverride">It was written on the command line, as key=value.</param>
public sealed record UnknownName(string Section, string Key, ConfigNode Value, bool IsOverride);

/// <summary>
/// What is said of names that are known to be wrong: what is not built yet, and other words for what a run file calls otherwise.
/// A root record names its own by <see cref="GlossaryAttribute"/>.
/// </summary>
public abstract class Glossary
{
    /// <returns>What follows <c>unknown key 'x'</c>, with its separator; null where nothing is known.</returns>
    public abstract string? OfKey(UnknownName name);

    /// <param name="setting">Its full name: <c>training.optim</c>.</param>
    /// <returns>What follows <c>got 'x'</c>, with its separator; null where nothing is known.</returns>
    public abstract string? OfValue(string setting, string value);
}

/// <summary>The <see cref="Config.Glossary"/> of a root record.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class GlossaryAttribute(Type glossary) : Attribute
{
    public Type Glossary { get; } = glossary;
}
