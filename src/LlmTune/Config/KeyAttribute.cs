namespace LlmTune.Config;

/// <summary>
/// The name of a setting, or of an enum's value, as it stands in the run file; named explicitly, because derived names go wrong
/// (LoadIn4bit).
/// </summary>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class KeyAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}
