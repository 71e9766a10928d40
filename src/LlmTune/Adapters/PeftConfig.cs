using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmTune.Config;
using LlmTune.Io;

namespace LlmTune.Adapters;

/// <summary>adapter_config.json of a PEFT folder.</summary>
public static class PeftConfig
{
    public const string FileName = "adapter_config.json";

    /// <exception cref="RequestException">Missing, damaged, of another method, or with an option that is not built; all complaints at once.</exception>
    public static LoraPlan Read(string folder)
    {
        var file = Path.Combine(folder, FileName);
        if (!File.Exists(file)) throw new RequestException($"{FileName} is missing in {folder}; a PEFT folder holds {FileName} and adapter_model.safetensors");
        return Read(Parse(file), file);
    }

    /// <exception cref="RequestException">Not JSON of an object.</exception>
    internal static JsonObject Parse(string file)
    {
        var config = JsonFile.Read(file);
        return config.ValueKind == JsonValueKind.Object ? JsonObject.Create(config)! : throw new RequestException($"{file} is not JSON of an object");
    }

    /// <param name="file">For messages.</param>
    public static LoraPlan Read(JsonObject config, string file)
    {
        if (IsOfMlx(config)) throw new UnsupportedAdapterException($"{file} is of {OtherForms.Mlx}");
        var type = Text(config["peft_type"]);
        if (type is null || !type.Equals("LORA", StringComparison.OrdinalIgnoreCase))
            throw new UnsupportedAdapterException(type is null ? $"{file}: peft_type is missing" : $"{file}: unknown peft_type {type}; LORA is built");

        var (problems, notes) = (new List<string>(), new List<AdapterNote>());
        foreach (var (key, value) in config) Look(key, value, problems, notes);
        if (config.Where(pair => PeftKey.Find(pair.Key) is null && PeftKey.IsNothing(pair.Value)).Select(pair => pair.Key).ToList() is { Count: > 0 } nothing)
            notes.Add(new AdapterNote(IsWarning: false, $"{FileName}: left out unknown keys that say nothing: {string.Join(", ", nothing)}"));
        var (refused, note) = PeftInitialization.Of(config["init_lora_weights"]);
        problems.AddRange(new[] { refused }.OfType<string>());
        notes.AddRange(new[] { note }.OfType<string>().Select(text => new AdapterNote(IsWarning: true, text)));
        foreach (var key in (string[])["r", "lora_alpha", "lora_dropout"])
            if (config[key] is { } value && Number(value) is null) problems.Add($"{key} is {value.ToJsonString()}, expected a number");
        foreach (var key in (string[])["use_rslora", "lora_bias", "ensure_weight_tying"])
            if (config[key] is { } value && value.GetValueKind() is not (JsonValueKind.True or JsonValueKind.False))
                problems.Add($"{key} is {value.ToJsonString()}, expected true or false");
        foreach (var key in (string[])["target_modules", "exclude_modules", "modules_to_save", "layers_pattern"])
            if (config[key] is { } value && !IsTexts(value)) problems.Add($"{key} is {value.ToJsonString()}, expected a text or a list of texts");
        foreach (var (key, pattern) in Expressions(config))
            if (NoExpression(pattern) is { } reason) problems.Add($"{key}: '{pattern}' is not a regular expression: {reason}");
        var rank = Number(config["r"]) ?? 8;
        if (rank < 1 || rank != Math.Floor(rank)) problems.Add($"r is {rank.ToString(CultureInfo.InvariantCulture)}, expected a whole number of at least 1");
        if (!IsEmpty(config["bias"]) && !Biases.ContainsKey(config["bias"]!.ToString())) problems.Add($"bias {config["bias"]!.ToJsonString()} is not built");
        foreach (var (pattern, value) in Pairs(config["rank_pattern"]).Where(pair => Number(pair.Value) is not { } number || number < 1 || number != Math.Floor(number)))
            problems.Add($"rank_pattern of {pattern} is {value?.ToJsonString() ?? "null"}, expected a number");
        foreach (var (pattern, value) in Pairs(config["alpha_pattern"]).Where(pair => Number(pair.Value) is null))
            problems.Add($"alpha_pattern of {pattern} is {value?.ToJsonString() ?? "null"}, expected a number");
        var layers = config["layers_to_transform"] switch { null => [], JsonArray list => [.. list], var one => (JsonNode?[])[one] };
        foreach (var layer in layers.Where(layer => Number(layer) is not { } number || number < 0 || number != Math.Floor(number)))
            problems.Add($"layers_to_transform has {layer?.ToJsonString() ?? "null"}, expected the number of a layer");
        if (problems.Count > 0) throw new UnsupportedAdapterException($"{file}: {string.Join("; ", problems)}");

        return new LoraPlan
        {
            Rank = (int)rank,
            Alpha = Number(config["lora_alpha"]) ?? 8,
            Dropout = Number(config["lora_dropout"]) ?? 0,
            Targets = Selector(config["target_modules"]) ?? ModuleSelector.Names("q_proj", "v_proj"),
            Excluded = Selector(config["exclude_modules"]),
            UseRsLora = True(config["use_rslora"]),
            ModulesToSave = Texts(config["modules_to_save"]),
            Bias = IsEmpty(config["bias"]) ? BiasTraining.None : Biases[config["bias"]!.ToString()],
            LoraBias = True(config["lora_bias"]),
            EnsureWeightTying = True(config["ensure_weight_tying"]),
            Layers = config["layers_to_transform"] is null ? null : [.. layers.Select(layer => (int)Number(layer)!.Value)],
            LayersPattern = Texts(config["layers_pattern"]),
            RankPattern = [.. Pairs(config["rank_pattern"]).Select(pair => (pair.Key, (int)Number(pair.Value)!.Value))],
            AlphaPattern = [.. Pairs(config["alpha_pattern"]).Select(pair => (pair.Key, Number(pair.Value)!.Value))],
            Notes = notes,
        };
    }

    /// <summary>
    /// What a key comes to. PEFT adds keys with every release and leaves out those that it does not know: so does this, and says it. One that
    /// looks like a slip of the keyboard is an error: what was meant would be lost.
    /// </summary>
    private static void Look(string key, JsonNode? value, List<string> problems, List<AdapterNote> notes)
    {
        if (PeftKey.Find(key) is { } known)
        {
            if (known.Use == PeftKeyUse.DefaultOnly && !known.IsDefault(value))
                problems.Add($"{key} {value!.ToJsonString()} is not built: {known.Meaning}");
        }
        else if (PeftKey.IsNothing(value))
        {
            return;
        }
        else if (Suggest.Nearest(key, PeftKey.All.Select(k => k.Name)) is { } meant && Suggest.Distance(key, meant) <= 2)
        {
            problems.Add($"unknown key {key}, did you mean '{meant}'?");
        }
        else
        {
            notes.Add(new AdapterNote(
                IsWarning: true, $"{FileName}: left out the unknown key {key}: {value!.ToJsonString()}, as PEFT does with keys that are newer than it; the result is another if it changes what the adapter computes"));
        }
    }

    /// <summary>All regular expressions of a config, with the key that each stands under.</summary>
    private static IEnumerable<(string Key, string Pattern)> Expressions(JsonObject config) =>
    [
        .. ((string[])["target_modules", "exclude_modules"]).Select(key => (key, Text(config[key])!)).Where(one => one.Item2 is not (null or ModuleSelector.AllLinearWord)),
        .. ((string[])["rank_pattern", "alpha_pattern"]).SelectMany(key => Pairs(config[key]).Select(pair => (key, pair.Key))),
    ];

    private static string? NoExpression(string pattern)
    {
        try
        {
            PythonRegex.Parse(pattern);
            return null;
        }
        catch (FormatException e)
        {
            return e.Message;
        }
    }

    /// <summary>MLX calls its file by the same name.</summary>
    private static bool IsOfMlx(JsonObject config) => !config.ContainsKey("peft_type") && (config.ContainsKey("lora_parameters") || config.ContainsKey("fine_tune_type"));

    /// <summary>The file that PEFT reads.</summary>
    public static JsonObject Write(LoraPlan plan, string? baseModel) => new()
    {
        ["peft_type"] = "LORA",
        ["task_type"] = "CAUSAL_LM",
        ["base_model_name_or_path"] = baseModel,
        ["inference_mode"] = true,
        ["r"] = plan.Rank,
        ["lora_alpha"] = plan.Alpha == Math.Floor(plan.Alpha) ? JsonValue.Create((long)plan.Alpha) : plan.Alpha,
        ["lora_dropout"] = plan.Dropout,
        ["target_modules"] = Node(plan.Targets),
        ["exclude_modules"] = plan.Excluded is null ? null : Node(plan.Excluded),
        ["use_rslora"] = plan.UseRsLora,
        ["bias"] = Biases.Single(bias => bias.Value == plan.Bias).Key,
        ["fan_in_fan_out"] = false,
        ["init_lora_weights"] = true,
        ["layers_to_transform"] = plan.Layers is null ? null : new JsonArray([.. plan.Layers.Select(layer => JsonValue.Create(layer))]),
        ["layers_pattern"] = plan.LayersPattern.Count == 0 ? null : Node(plan.LayersPattern),
        ["rank_pattern"] = new JsonObject(plan.RankPattern.Select(p => KeyValuePair.Create(p.Pattern, (JsonNode?)p.Value))),
        ["alpha_pattern"] = new JsonObject(plan.AlphaPattern.Select(p => KeyValuePair.Create(p.Pattern, (JsonNode?)p.Value))),
        ["modules_to_save"] = plan.ModulesToSave.Count == 0 ? null : Node(plan.ModulesToSave),
        ["ensure_weight_tying"] = plan.EnsureWeightTying,
        ["use_dora"] = false,
        ["lora_bias"] = plan.LoraBias,
    };

    private static readonly Dictionary<string, BiasTraining> Biases = new(StringComparer.Ordinal)
    {
        ["none"] = BiasTraining.None,
        ["all"] = BiasTraining.All,
        ["lora_only"] = BiasTraining.LoraOnly,
    };

    private static JsonNode Node(ModuleSelector selector) => selector is ModuleSelector.NameList list
        ? Node(list.Items)
        : JsonValue.Create(selector.ToString())!;

    private static JsonArray Node(IEnumerable<string> texts) => [.. texts.Select(text => JsonValue.Create(text))];

    /// <summary>A list, or one text.</summary>
    private static IReadOnlyList<string> Texts(JsonNode? node) => node switch
    {
        null => [],
        JsonArray list => [.. list.Select(item => item!.GetValue<string>())],
        var one => one.GetValue<string>() is { Length: > 0 } text ? [text] : [],
    };

    private static bool IsTexts(JsonNode node) => node is JsonArray list
        ? list.All(item => item?.GetValueKind() == JsonValueKind.String)
        : node.GetValueKind() == JsonValueKind.String;

    private static bool True(JsonNode? node) => node?.GetValueKind() == JsonValueKind.True;

    private static ModuleSelector? Selector(JsonNode? node) => node switch
    {
        null => null,
        JsonArray list => ModuleSelector.Names(list.Select(item => item!.GetValue<string>())),
        var one => ModuleSelector.Parse(one.GetValue<string>()),
    };

    private static bool IsEmpty(JsonNode? node) => node is null or JsonArray { Count: 0 } or JsonObject { Count: 0 };

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Pairs(JsonNode? node) => node as JsonObject ?? [];

    private static string? Text(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;

    private static double? Number(JsonNode? node) => node?.GetValueKind() == JsonValueKind.Number ? double.Parse(node.ToJsonString(), CultureInfo.InvariantCulture) : null;
}

/// <summary>An adapter, or an option of one, that is not built; the message names it.</summary>
public sealed class UnsupportedAdapterException(string message) : RequestException(message);
