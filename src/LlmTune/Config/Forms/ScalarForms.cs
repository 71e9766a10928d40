using System.Buffers;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmTune.Io;

namespace LlmTune.Config;

internal sealed class WholeNumberForm(long largest) : Form
{
    public override string Expected => "a whole number";

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Int } scalar) throw Mismatch(node, Hint(node));
        if (!CoreSchema.TryInt(scalar.Text, out var value) || value > largest || value < -largest)
            throw new ConfigValueException($"must be a whole number up to {largest}, got {scalar.Text}");
        return largest > int.MaxValue ? value : (object)(int)value;
    }

    public override ConfigNode Write(object value) => ScalarNode.Plain(string.Create(CultureInfo.InvariantCulture, $"{value}"));

    public override JsonObject Schema() => new() { ["type"] = "integer" };

    /// <summary>8.0 and 1e3 are numbers of another kind.</summary>
    private static string Hint(ConfigNode node)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Float } scalar) return NumberForm.Hint(node);
        var value = CoreSchema.Float(scalar.Text);
        return value == Math.Floor(value) && Math.Abs(value) < 1e15 ? string.Create(CultureInfo.InvariantCulture, $"; write {value:F0}") : "";
    }
}

internal sealed class NumberForm : Form
{
    public override string Expected => "a number";

    public override object Read(ConfigNode node, Reading reading)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Int or ScalarKind.Float } scalar) throw Mismatch(node, Hint(node));
        var value = CoreSchema.Float(scalar.Text);
        return double.IsFinite(value) ? value : throw new ConfigValueException($"must be a finite number, got {scalar.Text}");
    }

    public override ConfigNode Write(object value) => ScalarNode.Plain(CoreSchema.Number((double)value));

    public override JsonObject Schema() => new() { ["type"] = "number" };

    /// <summary>How a text that looks like a number becomes one.</summary>
    public static string Hint(ConfigNode node)
    {
        if (node is not ScalarNode { Kind: ScalarKind.Text } scalar) return "";
        if (CoreSchema.KindOf(scalar.Text) is ScalarKind.Int or ScalarKind.Float) return $"; write it without quotes: {scalar.Text}";
        var bare = scalar.Text.Replace("_", "", StringComparison.Ordinal);
        return scalar.Text.Contains('_', StringComparison.Ordinal) && CoreSchema.KindOf(bare) == ScalarKind.Int ? $"; write {bare}" : "";
    }
}

internal sealed class BoolForm : Form
{
    public override string Expected => "true or false";

    public override object Read(ConfigNode node, Reading reading) =>
        node is ScalarNode { Kind: ScalarKind.Bool } scalar ? CoreSchema.Bool(scalar.Text) : throw Mismatch(node, Hint(node));

    public override ConfigNode Write(object value) => ScalarNode.Plain((bool)value ? "true" : "false");

    public override JsonObject Schema() => new() { ["type"] = "boolean" };

    private static string Hint(ConfigNode node) => (node as ScalarNode)?.Text.ToLowerInvariant() switch
    {
        "yes" or "on" or "1" or "true" => "; write true",
        "no" or "off" or "0" or "false" => "; write false",
        _ => "",
    };
}

internal sealed class TextForm : Form
{
    public override string Expected => "text";

    public override object Read(ConfigNode node, Reading reading) => Text(node, this);

    public override string? Example(ConfigNode node) => OfText(node);

    public override ConfigNode Write(object value) => ScalarNode.Of((string)value);

    public override JsonObject Schema() => new() { ["type"] = "string" };

    /// <summary>A single text, as it is written.</summary>
    public static string? OfText(ConfigNode node) => node is ScalarNode { Kind: ScalarKind.Text, Text.Length: > 0 } ? NodeText.Flow(node) : null;

    /// <summary>What looks like a number or a truth value has to be quoted, since the way it is written would be lost (3.10, 007).</summary>
    public static string Text(ConfigNode node, Form form) => node switch
    {
        ScalarNode { Kind: ScalarKind.Text } scalar => scalar.Text,
        ScalarNode { Kind: ScalarKind.Null } => throw new ConfigValueException($"must be {form.Expected}, got nothing"),
        ScalarNode { Text: var text, Kind: var kind } => throw new ConfigValueException(
            $"must be {form.Expected}, got the {(kind == ScalarKind.Bool ? "truth value" : "number")} {text}; write it in quotes: '{text}'"),
        _ => throw new ConfigValueException($"must be {form.Expected}, got {node.Described}"),
    };
}

/// <summary>
/// A file or folder, made absolute: relative ones are relative to the run file, or to the current folder on the command line;
/// <c>~</c> is the home folder.
/// </summary>
/// <param name="maybe">What does not look like a path and is not there is left alone: a hub id, a name.</param>
/// <param name="maybeHub">Of this only a hub id.</param>
internal sealed partial class PathForm(bool maybe, bool maybeHub) : Form
{
    /// <summary>What the escapes of double quotes stand for.</summary>
    private const string Escapes = "\a\b\t\n\v\f\r\e\u0085\u2028\u2029";

    private static readonly SearchValues<char> EscapeValues = SearchValues.Create(Escapes);

    public override string Expected => "a path";

    public override string? Example(ConfigNode node) => TextForm.OfText(node);

    public override object Read(ConfigNode node, Reading reading)
    {
        var text = TextForm.Text(node, this);
        if (text.Length == 0) throw new ConfigValueException("must be a path, got an empty text");
        if (text == "-") return text;
        if (Escaped(node, text) is { } escaped) throw new ConfigValueException(escaped);
        if (maybe && text.Contains('\n', StringComparison.Ordinal)) return text;
        if (text.Contains('\0', StringComparison.Ordinal)) throw new ConfigValueException("must be a path, got a text with a null character");
        if (text == "~" || text.StartsWith("~/", StringComparison.Ordinal) || text.StartsWith(@"~\", StringComparison.Ordinal))
            return Path.GetFullPath(Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), text[1..]));
        var folder = node.Place.Folder.Length > 0 ? node.Place.Folder : Directory.GetCurrentDirectory();
        var full = Path.GetFullPath(text, folder);
        var other = maybe ? !text.StartsWith('.') && !Path.IsPathRooted(text) : maybeHub && HubFolders.IsId(text) && !FileName().IsMatch(text);
        return other && !Path.Exists(full) ? text : full;
    }

    /// <summary>Says that a backslash of a path was read as an escape, which double quotes make of \t, \n and others.</summary>
    private string? Escaped(ConfigNode node, string text)
    {
        const string Letters = "abtnvfreNLP";
        var isWindows = text.Length > 1 && char.IsAsciiLetter(text[0]) && text[1] == ':';
        var at = text.AsSpan().IndexOfAny(EscapeValues);
        var isWhole = !isWindows && Path.IsPathRooted(text);   // as paths are written into a run's own file, tabs and all
        if (node is not ScalarNode { Quoted: true } || at < 0 || isWhole || (maybe && !isWindows)) return null;
        var letter = Letters[Escapes.IndexOf(text[at], StringComparison.Ordinal)];
        return $"must be a path, got one with the escape \\{letter}; in double quotes a backslash begins an escape: write a Windows path in single quotes ('C:\\data') or with slashes (C:/data)";
    }

    public override ConfigNode Write(object value) => ScalarNode.Of((string)value);

    public override JsonObject Schema() => new() { ["type"] = "string" };

    [GeneratedRegex(@"\.[A-Za-z]{2,8}\z")]
    private static partial Regex FileName();
}
