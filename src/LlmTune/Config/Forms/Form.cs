using System.Text.Json.Nodes;

namespace LlmTune.Config;

/// <summary>How values of one type stand in a run file: how they are read, written and described. One per kind of value.</summary>
public abstract class Form
{
    /// <summary>Completes "must be": <c>a whole number</c>.</summary>
    public abstract string Expected { get; }

    /// <summary>The value of a node. Parts that are wrong are told to <paramref name="reading"/>, and reading goes on.</summary>
    /// <exception cref="ConfigValueException">The node as a whole is not of this form.</exception>
    public abstract object? Read(ConfigNode node, Reading reading);

    /// <summary>The node that reads back as an equal value.</summary>
    public abstract ConfigNode Write(object value);

    /// <summary>JSON Schema (draft 7).</summary>
    public abstract JsonObject Schema();

    /// <summary>How a single value that stands where it does not belong is written in this form; null where it makes no sense.</summary>
    public virtual string? Example(ConfigNode node) => null;

    /// <summary>The settings below, with their full names.</summary>
    public virtual IEnumerable<SettingInfo> Settings(string path) => [];

    /// <summary>What is said of a node that is not of this form.</summary>
    protected ConfigValueException Mismatch(ConfigNode node, string hint = "") =>
        new($"must be {Expected}, got {node.Described}{hint}");
}

/// <summary>One line of the table of all settings.</summary>
/// <param name="Path">Its full name: <c>data.sources.0.weight</c>.</param>
/// <param name="Values">The names that may stand there, where it is one of several.</param>
/// <param name="Default">As it would be written; null where there is none or it depends on others.</param>
/// <param name="DefaultInWords">Where it depends on others.</param>
public sealed record SettingInfo(string Path, string? Values, string? Default, string? DefaultInWords, bool Required, string Doc, bool IsSection)
{
    public string Leaf => Path[(Path.LastIndexOf('.') + 1)..];

    /// <summary>The section it stands in; empty at the top.</summary>
    public string Section => Path[..Math.Max(Path.LastIndexOf('.'), 0)];
}

/// <summary>Where the reader is, and what it has found wrong so far.</summary>
public sealed class Reading
{
    private readonly Problems _problems;
    private readonly Form _root;

    internal Reading(Problems problems, Form root, string path = "") => (_problems, _root, Path) = (problems, root, path);

    /// <summary>The name of the setting that is read.</summary>
    public string Path { get; }

    internal int ProblemCount => _problems.Count;

    /// <summary>What is known of wrong names; null where nothing is.</summary>
    internal Glossary? Glossary => (_root as SectionForm)?.Glossary;

    /// <summary>Every setting there is.</summary>
    internal IEnumerable<SettingInfo> Catalog => _root.Settings("");

    public Reading At(string key) => new(_problems, _root, Paths.Join(Path, key));

    /// <summary>A mistake; <paramref name="message"/> follows the setting's name.</summary>
    public void Report(Place place, string message) => ReportPlain(place, Path.Length == 0 ? message : $"{Path} {message}");

    internal void ReportPlain(Place place, string message) => _problems.Add(place, message);

    /// <summary>The value of a part, or null if it is wrong and was reported.</summary>
    public object? Part(Form form, ConfigNode node)
    {
        try
        {
            return form.Read(node, this);
        }
        catch (ConfigValueException e)
        {
            Report(node.Place, e.Problem);
            return null;
        }
    }
}
