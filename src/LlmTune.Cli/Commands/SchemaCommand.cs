using System.CommandLine;
using LlmTune.Cli.Terminal;
using LlmTune.Config;
using LlmTune.Recipes;

namespace LlmTune.Cli.Commands;

/// <summary>The JSON Schema of the run file, or every setting as a table.</summary>
internal static class SchemaCommand
{
    public const string Title = "LlmTune run file";

    public static Command Create()
    {
        var list = new Option<bool>("--list") { Description = "a table of all settings instead" };
        var command = new Verb("schema", "print the JSON Schema of the run file, or all its settings",
            "schema > llmtune.schema.json",
            "schema --list")
        {
            list,
        };
        command.SetAction(args => Run(args.GetValue(list), args.Session().Screen));
        return command;
    }

    private static int Run(bool list, Screen screen)
    {
        if (!list)
        {
            screen.Output.Write(ConfigFile.Schema<RunConfig>(Title));
            return 0;
        }
        var settings = ConfigFile.Settings<RunConfig>();
        var widths = TextColumns.Widths([.. settings.Where(setting => !setting.IsSection).Select(Row)]);
        foreach (var section in settings.GroupBy(setting => setting.Section))
        {
            if (section.Key.Length > 0) screen.Results.Line($"\n{section.Key}", "bold");
            TextColumns.Write(screen.Results, [.. section.Where(setting => !setting.IsSection).Select(Row)], widths);
        }
        return 0;
    }

    /// <summary>Name, default, meaning.</summary>
    private static string[] Row(SettingInfo setting)
    {
        string[] more = [setting.Values ?? "", setting.DefaultInWords is { } words ? $"default: {words}" : ""];
        var bracket = string.Join("; ", more.Where(text => text.Length > 0));
        return [setting.Leaf, setting.Required ? "needed" : setting.Default ?? "", bracket.Length > 0 ? $"{setting.Doc} ({bracket})" : setting.Doc];
    }
}
