using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmTune.Config;

namespace LlmTune.Adapters;

/// <summary>
/// A selector in a run file: a text (all-linear or a regular expression) or a list of names. Names between commas in one text are a list too:
/// as a regular expression they could match no module.
/// </summary>
internal sealed partial class ModuleSelectorForm : Form
{
    private static readonly Form Names = Forms.Of<ValueList<string>>();

    public override string Expected => "all-linear, a list of names, or a regular expression";

    public override object? Read(ConfigNode node, Reading reading)
    {
        switch (node)
        {
            case ListNode { Items.Count: > 0 }:
                return Names.Read(node, reading) is ValueList<string> names ? ModuleSelector.Names(names) : null;
            case ScalarNode { Kind: ScalarKind.Text } scalar when PlainNames().IsMatch(scalar.Text):
                return ModuleSelector.Names(scalar.Text.Split(',', StringSplitOptions.TrimEntries));
            case ScalarNode { Kind: ScalarKind.Text } scalar:
                try
                {
                    return ModuleSelector.Parse(scalar.Text);
                }
                catch (RequestException e)
                {
                    throw new ConfigValueException($"must be {Expected}: {e.Message}");
                }
            case ListNode:
                throw new ConfigValueException($"must be {Expected}, got an empty list");
            default:
                throw Mismatch(node);
        }
    }

    public override ConfigNode Write(object value) => value switch
    {
        ModuleSelector.NameList list => Names.Write(new ValueList<string>(list.Items)),
        _ => ScalarNode.Of(value.ToString()!),
    };

    [GeneratedRegex(@"^\s*\w+\s*(,\s*\w+\s*)+\z")]
    private static partial Regex PlainNames();

    public override JsonObject Schema() => new() { ["anyOf"] = new JsonArray(Forms.Of<string>().Schema(), Names.Schema()) };
}
