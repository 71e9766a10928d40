using LlmTune.Config;
using LlmTune.Data.Formats;
using LlmTune.Data.Sources;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The data sets of axolotl: each becomes a source, or one for each of its files.</summary>
internal static class AxolotlDatasets
{
    private const string RolesToTrain = "roles_to_train";

    private static readonly string[] Loaders = ["json", "csv", "parquet", "arrow", "text"];

    private static readonly string[] OfConversations =
        ["field_messages", "message_property_mappings", "message_field_role", "message_field_content", "roles", "conversation", "field_human",
            "field_model"];

    /// <param name="ours">The list that they become.</param>
    public static Rule Rule(string ours) => (draft, entry) =>
    {
        if (entry.Value is not ListNode list || list.Items.Any(item => item is not MapNode))
            draft.Refuse(entry, "must be a list of data sets, each with a path and a type");
        else
            draft.Set(ours, new ListNode(list.Place, [.. list.Items.SelectMany((item, i) => Sources(draft, $"{entry.Key}.{i}", item, pretraining: false))]));
    };

    /// <summary>Whether all data sets are running texts.</summary>
    public static bool AreTexts(Draft draft) => draft.Entry("datasets")?.Value is ListNode { Items.Count: > 0 } list
        && list.Items.All(item => item is MapNode map && map["type"] is ScalarNode { Text: "completion" });

    /// <summary>A corpus of texts as one stream: a path, or a list of sets.</summary>
    public static Rule Pretraining { get; } = (draft, entry) =>
    {
        IReadOnlyList<ConfigNode> sets = entry.Value switch
        {
            ListNode list => list.Items,
            ScalarNode path => [new MapNode(path.Place, [new MapEntry("path", path.Place, path)])],
            var one => [one],
        };
        if (sets.Any(set => set is not MapNode))
        {
            draft.Refuse(entry, "must be a path, or a list of data sets with a path each");
            return;
        }
        var sources = sets.SelectMany((set, i) => Sources(draft, entry.Value is ListNode ? $"{entry.Key}.{i}" : entry.Key, set, pretraining: true));
        draft.Set("data.sources", new ListNode(entry.Value.Place, [.. sources]));
        draft.Set("data.packing", entry.Plain("wrapped"));
        draft.Note("data.packing: wrapped, since axolotl joins the texts of pretraining_dataset to one stream");
    };

    private static IEnumerable<ConfigNode> Sources(Draft draft, string prefix, ConfigNode set, bool pretraining) =>
        new Set(draft, prefix, (MapNode)set).Sources(pretraining);

    /// <summary>One data set.</summary>
    private sealed class Set(Draft draft, string prefix, MapNode map)
    {
        public IEnumerable<ConfigNode> Sources(bool pretraining)
        {
            List<MapEntry> settings = [.. Form(pretraining), .. OwnRoles()];
            foreach (var entry in map.Entries) Say(entry, settings);
            return [.. Paths().Select(path => new MapNode(map.Place, [new MapEntry("path", path.Place, path), .. settings, .. Split(path.Text)]))];
        }

        private string? Text(string key) => map[key] is ScalarNode { Kind: not ScalarKind.Null } scalar ? scalar.Text : null;

        private ForeignEntry Entry(MapEntry entry) =>
            new(entry.Key == "path" && !prefix.Contains('.', StringComparison.Ordinal) ? prefix : $"{prefix}.{entry.Key}", entry.Place, entry.Value);

        /// <summary>format, columns and prompt_template by the type.</summary>
        private List<MapEntry> Form(bool pretraining) => (pretraining ? "completion" : Text("type")) switch
        {
            _ when map["type"] is MapNode user => UserDefined(user),
            "alpaca" => Format("alpaca_text"),
            "chat_template" or "chat_template.default" => Conversations(Text("field_messages") ?? "messages", Property("role", "role"), Property("content", "content")),
            "sharegpt" => Conversations(Text("field_messages") ?? "conversations", "from", "value"),
            "completion" or "pretrain" => Format("text", ("text", Text("field") ?? Text("text_column") ?? "text")),
            null => Format("tokenized"),
            _ => [],
        };

        /// <summary>What has become of a key.</summary>
        private void Say(MapEntry given, List<MapEntry> settings)
        {
            var entry = Entry(given);
            var type = Text("type");
            if (given.Value is ScalarNode { Kind: ScalarKind.Null }) draft.NoEffect(entry, "empty");
            else if (given.Key == "path") SayPath(entry);
            else if (given.Key == "data_files") draft.Shown(entry, "path of each source");
            else if (given.Key == "type") SayType(entry, settings);
            else if (given.Key is "field" or "text_column") SayFor(entry, type is "completion" or null, "columns: text");
            else if (given.Key == "roles") SayRoles(entry);
            else if (OfConversations.Contains(given.Key)) SayFor(entry, type is "chat_template" or "chat_template.default" or "sharegpt", "format and columns");
            else if (given.Key == RolesToTrain) SayRolesToTrain(entry);
            else if (given.Key is "train_on_eos" or "train_on_eot") SayEnd(entry);
            else if (given.Key == "chat_template") AxolotlRules.ChatTemplate(draft, entry);
            else if (given.Key == "split") SaySplit(entry);
            else if (given.Key == "message_field_training" && entry.Text is "train" or "training" or "weight") draft.NoEffect(entry, "as here");
            else if (given.Key == "field_tools" && entry.Text == "tools" || given.Key == "field_thinking" && entry.Text == "reasoning_content")
                draft.NoEffect(entry, "as here");
            else if (given.Key is "ds_type") draft.NoEffect(entry, "found from the ending of the file");
            else if (given.Key is "preprocess_shards" or "trust_remote_code" or "revision") draft.NoEffect(entry, "files are read as they are");
            else if (given.Key is "shards" or "shards_idx" or "skip")
                draft.Refuse(entry, "takes a part of the data; limit of a source does so in a run file of ours");
            else if (given.Key == "name") draft.Refuse(entry, "is a part of a data set of the Hub; name its files by path");
            else if (entry.IsOff) draft.NoEffect(entry, "switched off");
            else draft.Refuse(entry, "is no setting of a data set that is translated; leave it out, or prepare the rows so");
        }

        private void SayPath(ForeignEntry entry)
        {
            if (entry.Text.Contains("://", StringComparison.Ordinal))
                draft.Refuse(entry, "is a place in the net, and nothing is downloaded; fetch it and name the file");
            else if (Loaders.Contains(entry.Text) && map["data_files"] is not null)
                draft.Shown(entry, "path of each source, see data_files");
            else if (DataSetPaths.IsAbsent(entry.Text, draft.Place.Folder))
                draft.Refuse(entry, DataSetPaths.Fetch(entry.Text));
            else
                draft.Shown(entry, $"path: {entry.Text}");
        }

        private void SayType(ForeignEntry entry, List<MapEntry> settings)
        {
            if (settings.Count > 0)
                draft.Shown(
                    entry,
                    string.Join(", ", settings.Select(setting => $"{setting.Key}: {NodeText.Flow(setting.Value)}")),
                    entry.Text == "completion" ? "longer texts are not cut in pieces: data.packing: wrapped loses nothing" : null);
            else if (entry.Value is not MapNode)   // what is wrong with a form of one's own has been said
                draft.Refuse(entry,
                    "is a form of rows that is not translated; there are alpaca, chat_template, sharegpt, completion, rows of "
                    + "input_ids without a type, and { field_instruction, field_output, format }");
        }

        private void SayFor(ForeignEntry entry, bool holds, string ours)
        {
            if (holds) draft.Shown(entry, ours);
            else draft.NoEffect(entry, "not for this type");
        }

        private void SayRoles(ForeignEntry entry)
        {
            var wrong = RolesGiven().FirstOrDefault(pair => !RoleNames.Meanings.Contains(pair.Role)).Role;
            if (wrong is not null) draft.Refuse(entry, $"speaks of the role {wrong}, which templates do not know; there are {Suggest.Either(RoleNames.Meanings)}");
            else if (OwnRoles().FirstOrDefault() is { } own) draft.Shown(entry, $"roles: {NodeText.Flow(own.Value)}");
            else draft.NoEffect(entry, "as the format has them");
        }

        /// <summary>Roles and the names that the rows have for them.</summary>
        private IEnumerable<(string Role, ScalarNode Name)> RolesGiven() => (map["roles"] as MapNode)?.Entries
            .SelectMany(role => new ForeignEntry(role.Key, role.Place, role.Value).Names.Select(name => (role.Key, name))) ?? [];

        /// <summary>Those of them that are not known by themselves.</summary>
        private IEnumerable<MapEntry> OwnRoles()
        {
            var inShareGpt = Property("role", "role") == "from" || Text("type") == "sharegpt";
            List<MapEntry> names =
            [
                .. from pair in RolesGiven()
                   where RoleNames.Meanings.Contains(pair.Role) && RoleNames.Find(pair.Name.Text, inShareGpt) != pair.Role
                   select new MapEntry(pair.Name.Text, pair.Name.Place, ScalarNode.Of(pair.Role) with { Place = pair.Name.Place }),
            ];
            if (names.Count > 0) yield return new MapEntry("roles", map.Place, new MapNode(map.Place, names));
        }

        /// <summary>All sets must say the same, since it is a setting of all data here.</summary>
        private void SayRolesToTrain(ForeignEntry entry)
        {
            var names = entry.Names.Select(name => name with { Text = RoleNames.Find(name.Text) ?? name.Text });
            var roles = new ListNode(entry.Value.Place, [.. names]);
            var sets = (draft.Entry("datasets")?.Value as ListNode)?.Items.OfType<MapNode>() ?? [];
            var others = sets.Select(set => set[RolesToTrain]).OfType<ListNode>();
            if (roles.Items.Count == 0) draft.Refuse(entry, "trains no turn; leave the data set out");
            else if (sets.Any(set => set[RolesToTrain] is null) && NodeText.Flow(roles) is not ("[assistant]" or "assistant"))
                draft.Refuse(entry, "is not said of all data sets, as it must be here, where it holds for all of them; the others train assistant only");
            else if (others.Any(other => NodeText.Flow(other) != NodeText.Flow(entry.Value)))
                draft.Refuse(entry, "is not the same for all data sets, as it must be here");
            else draft.Became(entry, $"data.{RolesToTrain}", roles);
        }

        private void SayEnd(ForeignEntry entry)
        {
            if (entry.Text == "turn") draft.NoEffect(entry, "as here: the end of a trained turn is trained on");
            else draft.Refuse(entry, "is not built; here the end of every trained turn is trained on (turn); leave it out");
        }

        private void SaySplit(ForeignEntry entry)
        {
            if (DataSetPaths.SplitProblem(entry.Text) is { } problem)
                draft.Refuse(entry, problem);
            else if (entry.Text == "train" && Paths().TrueForAll(path => IsFile(path.Text)))
                draft.NoEffect(entry, "a file is one split");
            else
                draft.Shown(entry, string.Join(", ", Split(Paths()[0].Text).Select(setting => $"{setting.Key}: {NodeText.Flow(setting.Value)}")));
        }

        /// <summary>A split: of a file only where some of its rows are meant, since a file is one split.</summary>
        private IEnumerable<MapEntry> Split(string path)
        {
            var given = map.Entries.FirstOrDefault(entry => entry.Key == "split" && entry.Value is ScalarNode { Kind: ScalarKind.Text });
            if (given is null) yield break;
            if (!(IsFile(path) && Text("split") == "train")) yield return new MapEntry("split", given.Place, Entry(given).Quoted(Text("split")!));
        }

        private List<ScalarNode> Paths()
        {
            if (map["path"] is not ScalarNode { Kind: ScalarKind.Text } path)
            {
                draft.Problem(map.Place, $"{prefix}.path is missing: a file or a folder");
                return [new ScalarNode(map.Place, "missing", Quoted: false)];
            }
            if (map.Entries.FirstOrDefault(entry => entry.Key == "data_files") is not { } files) return [path];
            var names = Entry(files).Names;
            return [.. Loaders.Contains(path.Text) ? names : names.Select(name => name with { Text = $"{path.Text.TrimEnd('/')}/{name.Text}" })];
        }

        private static bool IsFile(string path) => FileKind.Of(path) is not null;

        private string Property(string role, string otherwise) =>
            ((map["message_property_mappings"] as MapNode)?[role] as ScalarNode)?.Text ?? Text($"message_field_{role}") ?? otherwise;

        private List<MapEntry> Conversations(string column, string role, string content)
        {
            if ((role, content) is ("role", "content")) return Format("messages", ("messages", column));
            if ((role, content) is ("from", "value")) return Format("sharegpt", ("conversations", column));
            draft.Problem(map.Place,
                $"{prefix} has turns of {role} and {content}; there are role and "
                + "content, and from and value; rename them in the rows");
            return Format("messages");
        }

        /// <summary>A prompt by axolotl's format, with its names for the columns in place.</summary>
        private List<MapEntry> UserDefined(MapNode user)
        {
            string Of(string key, string otherwise) => user[key] is ScalarNode { Kind: ScalarKind.Text } scalar ? scalar.Text : otherwise;

            var (template, without) = (Of("format", ""), Of("no_input_format", "{instruction} "));
            if (template.Length == 0) template = without;
            if (template != without)
                return Wrong(
                    "has one prompt for rows with an input (format) and another for those without "
                    + "(no_input_format), which is not built; make both alike");
            if (Of("system_prompt", Of("field_system", "")).Length > 0)
                return Wrong("has a system prompt, which is not built for texts; write it into format");
            foreach (var part in (string[])["instruction", "input"])
                template = template.Replace($"{{{part}}}", $"{{{Of($"field_{part}", part)}}}", StringComparison.Ordinal);
            return
            [
                .. Format("prompt_completion", ("completion", Of("field_output", "output"))),
                new MapEntry("prompt_template", user.Place, new ScalarNode(user.Place, template, Quoted: true)),
            ];
        }

        private List<MapEntry> Wrong(string what)
        {
            var type = map.Entries.First(entry => entry.Key == "type");
            draft.Refuse(Entry(type), what);
            return [];
        }

        private List<MapEntry> Format(string name, params (string Part, string Column)[] columns)
        {
            List<MapEntry> settings = [new("format", map.Place, new ScalarNode(map.Place, name, Quoted: false))];
            var other = columns.Where(column => column.Part != column.Column)
                .Select(column => new MapEntry(column.Part, map.Place, ScalarNode.Of(column.Column) with { Place = map.Place })).ToList();
            if (other.Count > 0) settings.Add(new MapEntry("columns", map.Place, new MapNode(map.Place, other)));
            return settings;
        }
    }
}
