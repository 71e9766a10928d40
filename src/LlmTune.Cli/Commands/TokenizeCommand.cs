using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Cli.Terminal;
using LlmTune.Recipes;
using LlmTune.Tokenization;
using Spectre.Console;

namespace LlmTune.Cli.Commands;

/// <summary><c>llmtune tokenize</c>: a text as the tokens of a model, or ids as text.</summary>
internal static class TokenizeCommand
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var model = new Argument<string>("model|tokenizer.json") { Description = "a model, a run, or a tokenizer's file or folder" };
        var text = new Argument<string?>("text") { Description = "what is cut into tokens; - or nothing reads it from standard input", Arity = ArgumentArity.ZeroOrOne };
        var file = new Option<string>("--file", "-f") { Description = "the text is in this file", HelpName = "file" };
        var decode = new Option<string>("--decode") { Description = "the other way: the text of these ids; - reads them from standard input", HelpName = "ids" };
        var special = new Option<bool>("--special") { Description = "with the tokens that the tokenizer puts around a text (BOS, say)" };
        var ids = new Option<bool>("--ids") { Description = "only the ids, on one line" };
        var json = new Option<bool>("--json") { Description = "ids, tokens and their places in the text as one JSON object" };
        var command = new Verb("tokenize", "show the tokens of a text, or the text of token ids",
            "tokenize models/Qwen2.5-0.5B \"Once upon a time\"",
            "tokenize out/run --file prompt.txt --special --json",
            "tokenize tokenizer.json --decode \"9707 1879\"")
        {
            model, text, file, decode, special, ids, json,
        };
        command.SetAction(args =>
        {
            if (args.GetValue(ids) && args.GetValue(json)) throw new RequestException("--ids and --json are two forms of the same; keep one of them");
            var tokenizer = Load(args.GetValue(model)!);
            if (args.GetValue(decode) is { } listed)
            {
                if (args.GetValue(text) is not null || args.GetValue(file) is not null) throw new RequestException("--decode takes ids, so there is no text to give beside it");
                return Decode(tokenizer, listed == "-" ? Console.In.ReadToEnd() : listed, args.GetValue(json), args.Session().Screen);
            }
            var given = Text(args.GetValue(text), args.GetValue(file));
            var tokens = tokenizer.EncodeFull(given, addSpecialTokens: args.GetValue(special));
            return Show(tokenizer, given, tokens, args.GetValue(ids), args.GetValue(json), args.Session());
        });
        return command;
    }

    /// <summary>A tokenizer's own file or folder; else what a run, an adapter or a model has.</summary>
    private static HfTokenizer Load(string path)
    {
        var isTokenizer = File.Exists(path) || File.Exists(Path.Combine(path, "tokenizer.json")) || File.Exists(Path.Combine(path, "tokenizer.model"));
        return HfTokenizer.Load(isTokenizer ? path : ModelSource.Resolve(path).Tokenizer);
    }

    private static string Text(string? text, string? file)
    {
        if (text is not null && file is not null) throw new RequestException("a text and --file were given; keep one of them");
        if (file is null or "-") return text is null or "-" ? Console.In.ReadToEnd() : text;
        return File.Exists(file) ? File.ReadAllText(file) : throw new RequestException($"--file: there is no file {file}");
    }

    private static int Show(HfTokenizer tokenizer, string text, TokenEncoding tokens, bool idsOnly, bool asJson, Session session)
    {
        var screen = session.Screen;
        if (idsOnly) screen.Output.WriteLine(string.Join(' ', tokens.Ids));
        else if (asJson) screen.Output.WriteLine(ToJson(tokens, text).ToJsonString(Readable));
        else if (screen.Results.Profile.Capabilities.Ansi) Table(tokenizer, text, tokens, screen.Results);
        else
            for (var i = 0; i < tokens.Count; i++) screen.Output.WriteLine($"{tokens.Ids[i]}\t{VisibleText.OnOneLine(tokens.Tokens[i])}\t{VisibleText.OnOneLine(TextOf(tokens, i, text))}");
        session.Log.Information("{Tokens:N0} {What} of {Characters:N0} characters{Share}",
            tokens.Count, tokens.Count == 1 ? "token" : "tokens", text.Length, tokens.Count == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", {(double)text.Length / tokens.Count:F2} characters a token"));
        return 0;
    }

    /// <summary>Place, id, the token as the vocabulary writes it, and what of the text it stands for.</summary>
    private static void Table(HfTokenizer tokenizer, string text, TokenEncoding tokens, IAnsiConsole console)
    {
        var table = new Table().Border(TableBorder.Simple)
            .AddColumns(new TableColumn("").RightAligned(), new TableColumn("id").RightAligned(), new TableColumn("token"), new TableColumn("text"));
        for (var i = 0; i < tokens.Count; i++)
        {
            var style = tokenizer.IsSpecial(tokens.Ids[i]) ? "fuchsia" : "default";
            var place = tokens.Special[i] ? "[dim]added[/]" : $"[[[underline]{Markup.Escape(VisibleText.OnOneLine(tokens.Spans[i].Of(text)))}[/]]]";
            table.AddRow($"[dim]{i}[/]", $"{tokens.Ids[i]}", $"[{style}]{Markup.Escape(VisibleText.OnOneLine(tokens.Tokens[i]))}[/]", place);
        }
        console.Write(table);
    }

    /// <summary>What of the text a token stands for; nothing for tokens that were added to it.</summary>
    private static string TextOf(TokenEncoding tokens, int i, string text) => tokens.Special[i] ? "" : tokens.Spans[i].Of(text);

    private static JsonObject ToJson(TokenEncoding tokens, string text) => new()
    {
        ["count"] = tokens.Count,
        ["ids"] = new JsonArray([.. tokens.Ids.Select(id => (JsonNode)id)]),
        ["tokens"] = new JsonArray([.. tokens.Tokens.Select(token => (JsonNode)token)]),
        ["texts"] = new JsonArray([.. Enumerable.Range(0, tokens.Count).Select(i => (JsonNode)TextOf(tokens, i, text))]),
        ["spans"] = new JsonArray([.. tokens.Spans.Select(span => (JsonNode)new JsonArray(span.Start, span.End))]),
    };

    private static int Decode(HfTokenizer tokenizer, string listed, bool asJson, Screen screen)
    {
        var ids = Ids(listed);
        if (ids.Where(id => tokenizer.Token(id) is null).Distinct().ToList() is { Count: > 0 } unknown)
            throw new RequestException($"--decode: no token has the id {string.Join(", ", unknown)}; the tokenizer has ids from 0 to {tokenizer.VocabularySize - 1}");
        var text = tokenizer.Decode(ids, skipSpecialTokens: false);
        if (!asJson) screen.Output.WriteLine(text);
        else
        {
            screen.Output.WriteLine(new JsonObject
            {
                ["text"] = text,
                ["ids"] = new JsonArray([.. ids.Select(id => (JsonNode)id)]),
                ["tokens"] = new JsonArray([.. ids.Select(id => (JsonNode?)tokenizer.Token(id))]),
            }.ToJsonString(Readable));
        }
        return 0;
    }

    /// <summary>Numbers between spaces, commas or line ends, perhaps in brackets.</summary>
    private static int[] Ids(string listed) =>
    [
        .. listed.Split([' ', ',', '[', ']', '\n', '\r', '\t'], StringSplitOptions.RemoveEmptyEntries).Select(word =>
            int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id
                : throw new RequestException($"--decode: '{word}' is no token id; expected numbers, as in --decode \"9707 1879\"")),
    ];
}
