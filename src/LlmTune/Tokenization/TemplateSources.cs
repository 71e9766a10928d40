using System.Text.Json;
using LlmTune.Io;

namespace LlmTune.Tokenization;

/// <summary>Where chat templates are found.</summary>
internal static class TemplateSources
{
    /// <summary>
    /// Roles with any name, text only, each turn closed by <c>&lt;|im_end|&gt;</c> and a line feed. Tool calls have no form in it.
    /// </summary>
    public const string ChatMl = """
        {%- for message in messages %}
            {%- if message.tool_calls %}
                {{- raise_exception('the built-in ChatML template has no form for tool calls; set model.chat_template') }}
            {%- endif %}
            {%- if message.content is not string %}
                {{- raise_exception('the built-in ChatML template takes text only; set model.chat_template') }}
            {%- endif %}
            {{- '<|im_start|>' + message.role + '\n' }}
            {%- if message.role == 'assistant' %}
                {%- generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}
            {%- else %}
                {{- message.content + '<|im_end|>\n' }}
            {%- endif %}
        {%- endfor %}
        {%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}
        """;

    /// <summary>The name by which <see cref="ChatMl"/> may be set.</summary>
    private const string ChatMlName = "chatml";

    private const string Default = "default";
    private const string ToolUse = "tool_use";

    /// <summary>
    /// The template of a run, where it comes from, and the one for conversations with tools where the model has such; null if there is none.
    /// </summary>
    public static (string Source, string Origin, (string Source, string Origin)? WithTools)? Find(
        HfTokenizer tokenizer, string folder, string? setting)
    {
        var own = Own(tokenizer, folder);
        if (setting is not null) return Set(setting, folder, own, tokenizer) is var (source, origin) ? (source, origin, null) : null;
        if (own.TryGetValue(Default, out var main)) return (main.Source, main.Origin, own.TryGetValue(ToolUse, out var tools) ? tools : null);
        if (own.Count > 0)
        {
            throw new RequestException(
                $"{folder} has several chat templates and none is the default: set model.chat_template to one of "
                + string.Join(", ", own.Keys.Order()));
        }
        return KnowsMarks(tokenizer) ? (ChatMl, "built-in ChatML", null) : null;
    }

    /// <summary>The model's further templates by name, beside the one that conversations get unasked.</summary>
    public static IReadOnlyDictionary<string, string> Named(HfTokenizer tokenizer, string folder) =>
        Own(tokenizer, folder).Where(own => own.Key != Default).ToDictionary(own => own.Key, own => own.Value.Source, StringComparer.Ordinal);

    private static bool KnowsMarks(HfTokenizer tokenizer) => tokenizer.TokenId("<|im_start|>") is not null && tokenizer.TokenId("<|im_end|>") is not null;

    private static (string Source, string Origin) Set(string setting, string folder, Dictionary<string, (string Source, string Origin)> own, HfTokenizer tokenizer)
    {
        var isText = setting.Contains("{{", StringComparison.Ordinal) || setting.Contains("{%", StringComparison.Ordinal);
        if (isText) return (setting, "model.chat_template");
        if (own.TryGetValue(setting, out var named)) return named;
        foreach (var file in (string[])[setting, Path.Combine(folder, setting)])
        {
            if (File.Exists(file)) return (ReadText(file), file);
        }
        if (setting == ChatMlName && KnowsMarks(tokenizer)) return (ChatMl, "built-in ChatML");
        if (setting == ChatMlName)
            throw new RequestException("model.chat_template: chatml needs <|im_start|> and <|im_end|> in the vocabulary, and this tokenizer has not got both");
        var names = own.Count > 0 ? $"{folder} has {string.Join(", ", own.Keys.Order())}" : $"{folder} has no templates";
        throw new RequestException(
            $"model.chat_template: there is no file '{setting}' and no template of that name ({names}), and as a template's text it writes nothing: "
            + "it has no {{ and no {%");
    }

    /// <summary>The model's templates by name. Files of their own come before tokenizer_config.json, as in transformers.</summary>
    private static Dictionary<string, (string Source, string Origin)> Own(HfTokenizer tokenizer, string folder)
    {
        var own = new Dictionary<string, (string, string)>(StringComparer.Ordinal);
        var main = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(main)) own[Default] = (ReadText(main), main);
        var more = Path.Combine(folder, "additional_chat_templates");
        if (Directory.Exists(more))
        {
            foreach (var file in Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal))
                own[Path.GetFileNameWithoutExtension(file)] = (ReadText(file), file);
        }
        if (own.Count > 0) return own;
        var config = Path.Combine(tokenizer.Folder, "tokenizer_config.json");
        if (tokenizer.Config is { } json && json.TryGetProperty("chat_template", out var template)) Read(template, config, own);
        var processor = Path.Combine(folder, "chat_template.json");
        if (own.Count == 0 && File.Exists(processor))
        {
            var root = JsonFile.Read(processor);
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("chat_template", out template)) Read(template, processor, own);
        }
        return own;
    }

    /// <summary>A text, or a list of {"name", "template"}.</summary>
    private static void Read(JsonElement template, string file, Dictionary<string, (string, string)> own)
    {
        switch (template.ValueKind)
        {
            case JsonValueKind.Null: return;
            case JsonValueKind.String:
                own[Default] = (template.GetString()!, $"{file} (chat_template)");
                return;
            case JsonValueKind.Array when template.EnumerateArray().All(IsNamed):
                foreach (var entry in template.EnumerateArray())
                {
                    var name = entry.GetProperty("name").GetString()!;
                    own[name] = (entry.GetProperty("template").GetString()!, $"{file} (chat_template '{name}')");
                }
                return;
            default: throw new RequestException($"{file}: chat_template must be a text or a list of {{\"name\": …, \"template\": …}}");
        }
    }

    private static bool IsNamed(JsonElement entry) => entry.ValueKind == JsonValueKind.Object
        && entry.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
        && entry.TryGetProperty("template", out var template) && template.ValueKind == JsonValueKind.String;

    private static string ReadText(string file)
    {
        LfsPointer.Refuse(file);
        return File.ReadAllText(file);
    }
}
