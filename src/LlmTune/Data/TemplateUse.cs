using LlmTune.Config;
using LlmTune.Data.Formats;

namespace LlmTune.Data;

/// <summary>A source whose prompts and completions are trained on as plain text although the model has a chat template.</summary>
/// <param name="Source">Its number.</param>
/// <param name="Instead">The settings of the source by which its rows go through the template.</param>
public sealed record PlainPairs(int Source, string Instead);

/// <summary>Whether rows meet the chat template that they are meant for.</summary>
internal static class TemplateUse
{
    /// <exception cref="RequestException">Rows were taken for questions and answers, and the model has no chat template.</exception>
    public static void Require(Source source, SourceConfig config)
    {
        if (source.Settings.HasTemplate || config.Format is not null || source.Format != QuestionAnswer.Format || source.First() is not { } row) return;
        var (question, answer) = (row.ColumnOf("question"), row.ColumnOf("answer"));
        var prompt = source.Template is null ? $"prompt: {Written(question)}, " : "";
        IEnumerable<string> apart = source.Template is null
            ? ["  or, with a line break between the two:", $"    prompt_template: {Quoted($"{{{question}}}")}", $"    columns: {{ completion: {Written(answer)} }}"]
            : [];
        throw new RequestException(string.Join('\n', (IEnumerable<string>)
        [
            $"{source.Label}: its rows are questions ({question}) and answers ({answer}), which a chat template makes a conversation of, and the model has none",
            "  set model.chat_template to a Jinja file (or chatml, where the tokenizer has <|im_start|>), or train on them as plain text:",
            $"    columns: {{ {prompt}completion: {Written(answer)} }}",
            .. apart,
        ]));
    }

    /// <summary>The columns by which a source's plain pairs go through the template; null where they do, or where there is none.</summary>
    public static string? Instead(Source source, SourceConfig config)
    {
        if (AsConversation(source) is not { } columns) return null;
        var format = config.Format is null ? "" : $"format: {QuestionAnswer.Format.Name}, ";
        return $"{format}columns: {{ {string.Join(", ", columns.Select(column => $"{column.Key}: {Written(column.Value)}"))} }}";
    }

    /// <summary>The same as parts and columns.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>>? AsConversation(Source source)
    {
        if (!source.Settings.HasTemplate || source.Format != PromptCompletion.Format || source.First() is not { } row || PromptCompletion.IsConversation(row)) return null;
        var answer = KeyValuePair.Create("answer", row.ColumnOf("completion"));
        return source.Template is null ? [KeyValuePair.Create("question", row.ColumnOf("prompt")), answer] : [answer];
    }

    /// <summary>The name of a column as a run file has it.</summary>
    public static string Written(string column) => ConfigFile.Written(column);

    /// <summary>In double quotes, with a line break at its end.</summary>
    private static string Quoted(string text) => $"\"{text.Replace("\"", "\\\"", StringComparison.Ordinal)}\\n\"";
}
