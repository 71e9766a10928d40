namespace LlmTune.Config;

/// <summary>The name of a setting as it stands in the run file; named explicitly, because derived names go wrong (LoadIn4bit).</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class KeyAttribute(string name) : Attribute
{
    public string Name { get; } = name;
}
