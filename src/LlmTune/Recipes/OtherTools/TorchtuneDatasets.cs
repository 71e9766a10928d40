using LlmTune.Config;
using LlmTune.Data.Sources;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The data sets of torchtune: functions of torchtune.datasets with their arguments, one or a list of them.</summary>
internal static class TorchtuneDatasets
{
    /// <summary>What a function reads, where its arguments do not say it: its data set on the Hub, the format of its rows, its columns.</summary>
    private sealed record Known(string Format, string? Source = null, string Prompt = "input", string Answer = "output", string Text = "text", bool TrainsOnInput = false);

    private static readonly Dictionary<string, Known> Functions = new()
    {
        ["alpaca_dataset"] = new("alpaca", "tatsu-lab/alpaca", TrainsOnInput: true),
        ["alpaca_cleaned_dataset"] = new("alpaca", "yahma/alpaca-cleaned", TrainsOnInput: true),
        ["instruct_dataset"] = new("question_answer"),
        ["grammar_dataset"] = new("question_answer", "liweili/c4_200m"),
        ["samsum_dataset"] = new("question_answer", "Samsung/samsum", Prompt: "dialogue", Answer: "summary"),
        ["chat_dataset"] = new("messages"),
        ["slimorca_dataset"] = new("sharegpt", "Open-Orca/SlimOrca-Dedup"),
        ["text_completion_dataset"] = new("text"),
        ["cnn_dailymail_articles_dataset"] = new("text", "ccdv/cnn_dailymail", Text: "article"),
        ["wikitext_dataset"] = new("text", "Salesforce/wikitext", Text: "page"),
    };

    private static readonly string[] Loaders = ["json", "csv", "parquet", "arrow", "text"];

    private static readonly string[] Preferences = ["preference_dataset", "stack_exchange_paired_dataset", "hh_rlhf_helpful_dataset"];

    /// <param name="ours">The list that they become.</param>
    public static Rule Rule(string ours) => (draft, entry) =>
    {
        IReadOnlyList<ConfigNode> sets = entry.Value is ListNode list ? list.Items : [entry.Value];
        if (sets.Any(set => set is not MapNode))
        {
            draft.Refuse(entry, "must be a section with a _component_, or a list of such");
            return;
        }
        var sources = sets.SelectMany((set, i) => new Set(draft, entry.Value is ListNode ? $"{entry.Key}.{i}" : entry.Key, (MapNode)set).Sources()).ToList();
        if (sources.Count > 0) draft.Set(ours, new ListNode(entry.Value.Place, sources));
    };

    /// <summary>One data set.</summary>
    private sealed class Set(Draft draft, string prefix, MapNode map)
    {
        private string Function => TorchtuneRules.Short(Text("_component_") ?? "");

        private Known Form => Functions.GetValueOrDefault(Function) ?? new Known("text");

        public IEnumerable<ConfigNode> Sources()
        {
            foreach (var entry in map.Entries) Say(new ForeignEntry($"{prefix}.{entry.Key}", entry.Place, entry.Value));
            if (Form.TrainsOnInput && map["train_on_input"] is null)
            {
                draft.Set("data.train_on_prompt", ScalarNode.Plain("true") with { Place = map.Place });
                draft.Note($"data.train_on_prompt: true, which {Function} takes without train_on_input");
            }
            return [.. Paths().Select(path => new MapNode(map.Place, [new MapEntry("path", path.Place, path), .. Settings(path.Text)]))];
        }

        private string? Text(string key) => map[key] is ScalarNode { Kind: not ScalarKind.Null } scalar ? scalar.Text : null;

        private void Say(ForeignEntry entry)
        {
            var key = entry.Key[(prefix.Length + 1)..];
            if (entry.Value is ScalarNode { Kind: ScalarKind.Null }) draft.NoEffect(entry, "empty");
            else if (key == "_component_") SayFunction(entry);
            else if (key == "source") SaySource(entry);
            else if (key == "data_files") draft.Shown(entry, "path of each source");
            else if (key == "split" && DataSetPaths.SplitProblem(entry.Text) is { } problem) draft.Refuse(entry, problem);
            else if (key == "split") draft.Shown(entry, $"split: {entry.Text}");
            else if (key is "column_map" or "conversation_column" or "conversation_style" or "column") draft.Shown(entry, "format and columns");
            else if (key == "packed") SayPacked(entry);
            else if (key == "train_on_input") draft.Became(entry, "data.train_on_prompt", entry.Value);
            else if (key == "add_eos" && !entry.IsOff) draft.NoEffect(entry, "as here: a text ends with the end token");
            else if (key == "split_across_pack") draft.NoEffect(entry, "see packed");
            else if (key is "num_proc" or "trust_remote_code" or "revision" or "streaming") draft.NoEffect(entry, "files are read as they are");
            else if (key == "new_system_prompt") draft.Refuse(entry, "is written before every conversation, which is not built; write it as the first turn of the rows");
            else if (key is "name" or "subset" or "data_dir") draft.Refuse(entry, "is a part of a data set of the Hub; name its files by data_files, or its folder by source");
            else if (entry.IsOff) draft.NoEffect(entry, "switched off");
            else draft.Refuse(entry, "is no argument of a data set that is translated; leave it out, or prepare the rows so");
        }

        private void SayFunction(ForeignEntry entry)
        {
            if (Preferences.Contains(Function)) draft.Refuse(entry, Reasons.Preference);
            else if (entry.Text.Contains("multimodal", StringComparison.Ordinal)) draft.Refuse(entry, "is for images, and only text is built");
            else if (!Functions.ContainsKey(Function)) draft.Refuse(entry, $"is a function that is not translated; there are {string.Join(", ", Functions.Keys)}");
            else if (Source() is { } id && Text("source") is null && DataSetPaths.IsAbsent(id, draft.Place.Folder))
                draft.Refuse(entry, $"reads {id}, which {DataSetPaths.Fetch(id)}");
            else draft.Shown(entry, Text("source") is null ? $"path: {Source()}, format: {Format()}" : $"format: {Format()}", Form.Format == "alpaca" ? "the chat template writes instruction and input, without Alpaca's words around them" : null);
        }

        private void SaySource(ForeignEntry entry)
        {
            if (Loaders.Contains(entry.Text) && map["data_files"] is not null) draft.Shown(entry, "path of each source, see data_files");
            else if (DataSetPaths.IsAbsent(entry.Text, draft.Place.Folder)) draft.Refuse(entry, DataSetPaths.Fetch(entry.Text));
            else draft.Shown(entry, $"path: {entry.Text}");
        }

        /// <summary>Texts that are packed are one stream, unless each is to stay whole.</summary>
        private void SayPacked(ForeignEntry entry)
        {
            var wrapped = !entry.IsOff && Form.Format == "text" && Text("split_across_pack") is not ("false" or "False");
            draft.Became(entry, "data.packing", entry.Plain(entry.IsOff ? "false" : wrapped ? "wrapped" : "true"));
        }

        /// <summary>Where the rows lie: the loader's files, or the source.</summary>
        private IReadOnlyList<ScalarNode> Paths()
        {
            if (map.Entries.FirstOrDefault(entry => entry.Key == "data_files") is { } files && Text("source") is { } loader && Loaders.Contains(loader))
                return new ForeignEntry(files.Key, files.Place, files.Value).Names;
            if (Source() is { } source) return [ScalarNode.Of(source) with { Place = (map["source"] ?? map).Place }];
            if (Functions.ContainsKey(Function)) draft.Problem(map.Place, $"{prefix}.source is missing: a folder, or json with data_files");
            return [];
        }

        private string? Source() => Text("source") ?? Form.Source;

        private string Format() => Function == "chat_dataset" && Text("conversation_style") == "sharegpt" ? "sharegpt" : Form.Format;

        private IEnumerable<MapEntry> Settings(string path)
        {
            yield return Entry("format", Format());
            var columns = Columns().Where(column => column.Part != column.Column).Select(column => Entry(column.Part, column.Column)).ToList();
            if (columns.Count > 0) yield return new MapEntry("columns", map.Place, new MapNode(map.Place, columns));
            if (Text("split") is { } split && !(split == "train" && FileKind.Of(path) is not null)) yield return Entry("split", split);
        }

        private IEnumerable<(string Part, string Column)> Columns()
        {
            string Of(string name, string otherwise) => (map["column_map"] as MapNode)?[name] is ScalarNode column ? column.Text : otherwise;
            return Format() switch
            {
                "alpaca" => [("instruction", Of("instruction", "instruction")), ("input", Of("input", "input")), ("output", Of("output", "output"))],
                "question_answer" => [("question", Of("input", Form.Prompt)), ("answer", Of("output", Form.Answer))],
                "sharegpt" => [("conversations", Text("conversation_column") ?? Of("conversations", "conversations"))],
                "messages" => [("messages", Text("conversation_column") ?? Of("messages", "messages"))],
                _ => [("text", Text("column") ?? Form.Text)],
            };
        }

        private MapEntry Entry(string key, string value) => new(key, map.Place, ScalarNode.Of(value) with { Place = map.Place });
    }
}
