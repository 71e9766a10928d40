namespace LlmTune.Config;

/// <summary>What a setting means, in one line: shown in help, starter files and the JSON Schema.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class DocAttribute(string text) : Attribute
{
    public string Text { get; } = text;

    /// <summary>The default in words, where it is not a constant: <c>2 r</c>.</summary>
    public string? Default { get; init; }

    /// <summary>A value to show where there is no default, written as in the run file.</summary>
    public string? Example { get; init; }
}

/// <summary>Which record a section's <c>type:</c> stands for; the first one is meant where no type is given.</summary>
[AttributeUsage(AttributeTargets.Class, AllowMultiple = true)]
public sealed class VariantAttribute(string type, Type record) : Attribute
{
    public string Type { get; } = type;
    public Type Record { get; } = record;
}

/// <summary>The form of a setting that is written in more than one way; the class derives from <see cref="Config.Form"/>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FormAttribute(Type form) : Attribute
{
    public Type Form { get; } = form;
}

/// <summary>A text that names a file or folder; relative ones are made absolute.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PathAttribute : Attribute
{
    /// <summary>The text may mean something else (a hub id, a name): it is a path if it looks like one or something is there.</summary>
    public bool Maybe { get; init; }

    /// <summary>What has the form of a hub id, is no name of a file and is not there as a path is left alone.</summary>
    public bool MaybeHub { get; init; }
}

/// <summary>A section whose settings may be overridden by their own name alone: <c>learning_rate=1e-5</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ShortOverridesAttribute : Attribute;

/// <summary>A section with rules between its settings, checked once each of them is right.</summary>
public interface ISettingRules
{
    /// <returns>For each broken rule the setting it is about (a path below this section) and a message that follows its name.</returns>
    IEnumerable<(string Setting, string Problem)> Broken();
}
