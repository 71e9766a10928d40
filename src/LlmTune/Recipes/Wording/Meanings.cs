using LlmTune.Config;

namespace LlmTune.Recipes.Wording;

/// <summary>What is said of a name, behind <c>unknown key 'x'</c>.</summary>
internal delegate string Meaning(UnknownName name);

/// <summary>The kinds of lines in the tables of names.</summary>
internal static class Meanings
{
    /// <summary>A setting of ours with the same values.</summary>
    public static Meaning To(string setting) => name => Write(name, setting, Value(name.Value));

    /// <summary>A setting of ours whose values are written otherwise.</summary>
    /// <param name="form">The value as it is written in a run file.</param>
    public static Meaning To(string setting, Func<ScalarNode, string> form) =>
        name => Write(name, setting, name.Value is ScalarNode { Kind: not ScalarKind.Null } scalar ? form(scalar) : Value(name.Value));

    /// <summary>A setting of the same section with the same values.</summary>
    public static Meaning ToBeside(string key) => name => Write(name, $"{name.Section}.{key}", Value(name.Value));

    /// <summary>A setting of ours that holds several names, which others write between commas or alone.</summary>
    public static Meaning ToList(string setting) => To(setting, scalar => $"[{string.Join(", ", Split(scalar))}]");

    /// <summary>Files, each of which is a source.</summary>
    /// <param name="sources">The list of sources: <c>data.sources</c>.</param>
    public static Meaning ToSources(string sources) => name =>
    {
        var files = name.Value is ListNode list ? [.. list.Items.OfType<ScalarNode>().Select(item => item.Text)] : name.Value is ScalarNode scalar ? Split(scalar) : [];
        if (files.Count == 0) files = ["FILE"];
        return name.IsOverride
            ? $"; write {string.Join(' ', files.Select((file, i) => $"{sources}.{i}.path={file}"))}"
            : Write(name, sources, $"[{string.Join(", ", files.Select(file => $"{{ path: {ConfigFile.Written(file)} }}"))}]");
    };

    /// <summary>A switch that stands for a value of one of our settings.</summary>
    public static Meaning Switch(string setting, string on, string off) => name => IsOff(name.Value) ? $"; {off}" : Write(name, setting, on);

    /// <summary>A share of what is held out, or a number of rows.</summary>
    public static Meaning HeldOut { get; } = name => name.Value is ScalarNode { Kind: ScalarKind.Int } count && CoreSchema.Float(count.Text) >= 1
        ? Write(name, "data.eval", $"{{ count: {count.Text} }}")
        : Write(name, "data.eval", $"{{ fraction: {Value(name.Value)} }}");

    /// <summary>It is planned, or a part of something that is.</summary>
    /// <param name="what">What it is and what to do without it.</param>
    public static Meaning NotBuilt(string what) => _ => Unbuilt(what);

    public static string Unbuilt(string what) => $", which is not built yet: {what}";

    /// <summary>It has no counterpart here, and why none is needed.</summary>
    public static Meaning Unneeded(string why) => _ => $"; {why}";

    public static bool IsOff(ConfigNode value) => value is ScalarNode { Kind: ScalarKind.Null } or ScalarNode { Text: "false" or "False" or "no" or "0" or "none" };

    private static List<string> Split(ScalarNode scalar) => [.. scalar.Text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    private static string Value(ConfigNode value) => value is ScalarNode { Kind: ScalarKind.Null } ? "…" : NodeText.Flow(value);

    private static string Write(UnknownName name, string setting, string value)
    {
        var dot = setting.LastIndexOf('.');
        var (section, key) = dot < 0 ? ("", setting) : (setting[..dot], setting[(dot + 1)..]);
        var place = section == name.Section ? "" : section.Length == 0 ? " at the top" : $" in {section}";
        if (!name.IsOverride) return $"; write {key}: {value}{place}";
        var assignment = $"{(section == "training" ? key : setting)}={value}";
        return assignment.Contains(' ', StringComparison.Ordinal) ? $"; write \"{assignment}\"" : $"; write {assignment}";
    }
}
