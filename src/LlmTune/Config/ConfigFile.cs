using System.Text.Json.Nodes;
using LlmTune.Io;

namespace LlmTune.Config;

/// <summary>
/// Run files: YAML (or the JSON that is written into a run folder) to immutable records and back. Records name their settings by
/// <see cref="KeyAttribute"/>, say what they mean by <see cref="DocAttribute"/>, and refuse bad values in their <c>init</c> accessors.
/// </summary>
public static class ConfigFile
{
    private const long LargestFile = 1 << 20;

    /// <param name="path">The run file.</param>
    /// <param name="overrides">Settings to change: <c>adapter.r=8</c>.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    /// <exception cref="RequestException">There is no such file.</exception>
    public static T Load<T>(string path, params IEnumerable<string> overrides) where T : class => Parse<T>(ReadText(path), path, overrides);

    /// <summary>The text of a run file.</summary>
    /// <exception cref="RequestException">There is no such file.</exception>
    internal static string ReadText(string path)
    {
        if (Directory.Exists(path)) throw new RequestException($"{path} is a folder; a run file is needed");
        if (!File.Exists(path))
            throw new RequestException($"there is no file {path} in {Directory.GetCurrentDirectory()}{Suggest.Hint(Similar(path))}");
        if (new FileInfo(path).Length is > LargestFile and var size)
            throw new RequestException($"{path} has {size / 1e6:f0} MB; this is not a run file (did you mean to name it under data.sources?)");
        LfsPointer.Refuse(path);
        return File.ReadAllText(path);
    }

    /// <param name="yaml">The text of a run file.</param>
    /// <param name="name">The name of the file in messages; what it names by a relative path is relative to its folder.</param>
    /// <param name="overrides">Settings to change: <c>adapter.r=8</c>.</param>
    /// <exception cref="ConfigException">Everything that is wrong with it.</exception>
    public static T Parse<T>(string yaml, string name, params IEnumerable<string> overrides) where T : class
    {
        var problems = new Problems();
        var tree = YamlTree.Read(yaml, name, Path.GetDirectoryName(Path.GetFullPath(name))!, problems);
        return Read<T>(tree, overrides, problems) ?? throw problems.ToException();
    }

    /// <summary>The record of a tree; null if anything is wrong, which <paramref name="problems"/> then hold.</summary>
    internal static T? Read<T>(ConfigNode tree, IEnumerable<string> overrides, Problems problems) where T : class
    {
        var form = (SectionForm)Forms.Of<T>();
        foreach (var assignment in overrides) tree = Overrides.Apply(tree, assignment, form, problems);
        var config = (T?)form.Read(tree, new Reading(problems, form));
        return problems.Count == 0 ? config : null;
    }

    public static string ToYaml<T>(T config) where T : class => NodeText.Yaml(Forms.Of<T>().Write(config));

    /// <summary>With every setting there is, and what each of them means: a file to start from.</summary>
    public static string ToCommentedYaml<T>(T config) where T : class => CommentedYaml.Write((SectionForm)Forms.Of<T>(), config);

    public static string ToJson<T>(T config) where T : class => NodeText.Json(NodeText.ToJson(Forms.Of<T>().Write(config)));

    /// <summary>JSON Schema (draft 7), by which an editor completes and checks run files.</summary>
    public static string Schema<T>(string title) where T : class
    {
        var schema = new JsonObject { ["$schema"] = "http://json-schema.org/draft-07/schema#", ["title"] = title };
        foreach (var (key, value) in Forms.Of<T>().Schema()) schema[key] = value?.DeepClone();
        return NodeText.Json(schema);
    }

    /// <summary>Every setting, in the order of the records.</summary>
    public static IReadOnlyList<SettingInfo> Settings<T>() where T : class => [.. Forms.Of<T>().Settings("")];

    /// <summary>How an option of another program, <c>--learning_rate 1e-4</c>, is written as a setting, as it follows a message; null where it is none.</summary>
    /// <param name="name">Without dashes in front.</param>
    /// <param name="value">Empty where none is given.</param>
    public static string? OfOption<T>(string name, string value) where T : class => Overrides.OfOption(name, value, (SectionForm)Forms.Of<T>());

    /// <summary>What is known of a value that a setting refuses, as it follows a message; null where nothing is.</summary>
    public static string? OfValue<T>(string setting, string value) where T : class => ((SectionForm)Forms.Of<T>()).Glossary?.OfValue(setting, value);

    /// <summary>The settings of a section that are not at their defaults, by name.</summary>
    public static IReadOnlyList<string> Changed<T>(T section) where T : class =>
        [.. ((SectionForm)Forms.Of<T>()).WriteChanged(section).Entries.Select(entry => entry.Key)];

    /// <summary>A value as it is written in a run file.</summary>
    public static string Written<T>(T value) where T : notnull => NodeText.Flow(Forms.Of<T>().Write(value));

    private static string? Similar(string path) =>
        Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && Directory.Exists(folder)
        && Suggest.Nearest(Path.GetFileName(path), Directory.EnumerateFiles(folder).Take(1000).Select(file => Path.GetFileName(file)!)) is { } name
            ? Path.Join(Path.GetDirectoryName(path), name) : null;
}
