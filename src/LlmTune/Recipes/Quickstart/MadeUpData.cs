using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using LlmTune.Data;
using LlmTune.Io;

namespace LlmTune.Recipes.Quickstart;

/// <summary>The rows of a quickstart: general texts and conversations, questions to train on, and questions about other tables held out.</summary>
internal sealed record MadeUpData(
    IReadOnlyList<string> Texts, IReadOnlyList<(string User, string Assistant)> Chats,
    IReadOnlyList<TableQuestion> Train, IReadOnlyList<TableQuestion> HeldOut)
{
    private const int QuestionsOfATable = 4;

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The same rows for the same seed, on every machine.</summary>
    public static MadeUpData Draw(long seed, QuickstartSize size)
    {
        var tables = new SplitMix64(Seeds.Derive(seed, "quickstart tables"));
        var texts = new SplitMix64(Seeds.Derive(seed, "quickstart texts"));
        var schemas = new HashSet<string>(StringComparer.Ordinal);
        var heldOut = Questions(size.HeldOut, perTable: 1, schemas, ref tables);
        var train = Questions(size.Questions, QuestionsOfATable, schemas, ref tables);
        return new MadeUpData(
            Different(size.Texts, GeneralText.Text, ref texts), Different(size.Chats, GeneralText.Chat, ref texts), train, heldOut);
    }

    /// <summary>Writes text.jsonl, chats.jsonl, questions.jsonl and held-out.jsonl.</summary>
    public void Write(string folder)
    {
        Lines("text", Texts, text => new { text });
        Lines("chats", Chats, chat => Messages(chat.User, chat.Assistant));
        Lines("questions", Train, question => Messages(question.Prompt, question.Sql));
        Lines("held-out", HeldOut, question => Messages(question.Prompt, question.Sql));

        void Lines<T>(string name, IReadOnlyList<T> rows, Func<T, object> row)
        {
            var text = new StringBuilder();
            foreach (var item in rows) text.Append(JsonSerializer.Serialize(row(item), Readable)).Append('\n');
            AtomicFile.WriteText(Path.Combine(folder, name + ".jsonl"), text.ToString());
        }
    }

    /// <summary>Questions about tables whose schema has not been used: none of them in any order of its columns.</summary>
    /// <param name="used">Grows by the schemas of the tables.</param>
    private static List<TableQuestion> Questions(int count, int perTable, HashSet<string> used, ref SplitMix64 random)
    {
        var questions = new List<TableQuestion>();
        while (questions.Count < count)
        {
            var table = MadeUpTable.Draw(ref random);
            if (!used.Add($"{table.Name} {string.Join(' ', table.Columns.Order(StringComparer.Ordinal))}")) continue;
            var own = new HashSet<string>(StringComparer.Ordinal);
            for (var i = 0; i < perTable && questions.Count < count; i++)
            {
                var question = TableQuestion.Draw(table, ref random);
                if (own.Add(question.Prompt)) questions.Add(question);
            }
        }
        return questions;
    }

    private delegate T Drawing<T>(ref SplitMix64 random);

    private static List<T> Different<T>(int count, Drawing<T> draw, ref SplitMix64 random)
    {
        var (rows, seen) = (new List<T>(), new HashSet<T>());
        while (rows.Count < count)
        {
            var row = draw(ref random);
            if (seen.Add(row)) rows.Add(row);
        }
        return rows;
    }

    private static object Messages(string user, string assistant) =>
        new { messages = new[] { new { role = "user", content = user }, new { role = "assistant", content = assistant } } };
}
