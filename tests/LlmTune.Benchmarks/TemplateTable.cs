using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Data;
using LlmTune.Data.Formats;
using LlmTune.Tokenization;

namespace LlmTune.Benchmarks;

/// <summary>
/// What chat templates make of rows, for <c>scripts/templates.py</c>, which holds it against Transformers: a JSON line with the text, or
/// the refusal, for every template and row of a file <c>{"templates": {name: source}, "rows": {name: row}, "variables": {…}}</c>.
/// </summary>
internal static class TemplateTable
{
    public static Command Create()
    {
        var jobs = new Option<string>("--jobs") { Required = true };
        var tokenizer = new Option<string>("--tokenizer") { Required = true, Description = "any: templates ask it for nothing but names of tokens" };
        var command = new Command("templates", "rows through chat templates") { jobs, tokenizer };
        command.SetAction(args =>
        {
            var vocabulary = HfTokenizer.Load(args.GetValue(tokenizer)!);
            var given = JsonNode.Parse(File.ReadAllText(args.GetValue(jobs)!))!;
            var variables = given["variables"]!.AsObject();
            foreach (var (template, source) in given["templates"]!.AsObject())
            {
                foreach (var (name, row) in given["rows"]!.AsObject())
                    Console.WriteLine(Line(template, (string)source!, name, row!, variables, vocabulary).ToJsonString());
            }
        });
        return command;
    }

    private static JsonObject Line(string template, string source, string name, JsonNode row, JsonObject variables, HfTokenizer tokenizer)
    {
        var line = new JsonObject { ["template"] = template, ["row"] = name };
        try
        {
            var format = RowFormat.Named("messages");
            var example = (Example.Chat)format.Read(new Fields(JsonSerializer.SerializeToElement(row), format, RowSettings.Default));
            var chat = new ChatTemplate(source, template, tokenizer) { Variables = variables.DeepClone().AsObject() };
            line["text"] = chat.Render(example.Conversation, addGenerationPrompt: false).Text;
        }
        catch (Exception e) when (e is RequestException or RowException)
        {
            line["refused"] = e.Message;
        }
        return line;
    }
}
