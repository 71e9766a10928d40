using LlmTune.Config;
using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The keys of LLaMA-Factory whose meaning depends on others.</summary>
internal static class LlamaFactoryRules
{
    private const string Pretraining = "pt", AllModules = "all";

    /// <summary>Templates whose answers begin with thoughts, perhaps empty ones.</summary>
    private static readonly string[] Thinking =
        ["deepseek3", "deepseekr1", "glm4_moe", "glmz1", "gpt_oss", "hy3", "mimo", "mimo_v2", "minimax2", "qwen3", "qwen3_5", "qwen3_6",
            "seed_oss", "youtu"];

    public static Rule Adapter { get; } = AdapterPath("finetuning_type");

    public static Rule Stage { get; } = (draft, entry) =>
    {
        if (entry.Text is not ("sft" or Pretraining)) draft.Refuse(entry, Reasons.Preference);
        else draft.Became(entry, "objective.type", entry.Plain("sft"), entry.Text == Pretraining ? "on texts, every token is trained on" : null);
    };

    public static Rule FinetuningType { get; } = (draft, entry) =>
    {
        if (entry.Text == "lora") draft.Became(entry, "adapter.type", entry.Value);
        else if (entry.Text == "full") draft.Shown(entry, "no adapter: the whole model is trained");
        else if (entry.Text == "freeze") draft.Shown(entry, "no adapter, but model.trainable");
        else draft.Refuse(entry, "is a method that is not built; there are lora, full and freeze");
    };

    /// <summary>A setting of a fresh adapter.</summary>
    public static Rule Lora(Rule rule) => Lora("finetuning_type", "adapter_name_or_path", rule);

    /// <param name="method">The key that says lora.</param>
    /// <param name="adapter">The key of an adapter to go on from.</param>
    public static Rule Lora(string method, string adapter, Rule rule) => (draft, entry) =>
    {
        if (draft.Text(method) != "lora") draft.NoEffect(entry, $"for {method}: lora only");
        else if (draft.Has(adapter)) draft.NoEffect(entry, $"the adapter of {adapter} keeps its own");
        else rule(draft, entry);
    };

    public static Rule Target { get; } = (draft, entry) =>
    {
        if (entry.Names is [{ Text: AllModules }]) draft.Became(entry, "adapter.target_modules", entry.Plain("all-linear"));
        else draft.Became(entry, "adapter.target_modules", new ListNode(entry.Value.Place, entry.Names));
    };

    /// <summary>The last N layers, or the first where N is negative.</summary>
    /// <param name="method">The key that says freeze.</param>
    /// <param name="prefix">What stands before the names of the keys.</param>
    public static Rule FreezeLayers(string method, string prefix = "") => (draft, entry) =>
    {
        var count = (int)draft.Number(entry.Key);
        var modules = draft.Entry($"{prefix}freeze_trainable_modules")?.Names.Select(name => name.Text).ToList() ?? [AllModules];
        var extra = draft.Entry($"{prefix}freeze_extra_modules")?.Names ?? [];
        if (draft.Text(method) != "freeze")
            draft.NoEffect(entry, $"for {method}: freeze only");
        else if (count > 0)
        {
            var last = new MapEntry("last_layers", entry.Place, entry.Plain($"{count}"));
            draft.Became(entry, "model.trainable", new MapNode(entry.Value.Place, [last]));
        }
        else
        {
            var parts = from layer in Enumerable.Range(0, -count)
                        from module in modules
                        select entry.Quoted(module == AllModules ? $"layers.{layer}" : $"layers.{layer}.{module}");
            draft.Became(entry, "model.trainable", new ListNode(entry.Value.Place, [.. parts, .. extra]));
        }
    };

    /// <summary>What of the layers, or beside them: said by name, which needs their numbers.</summary>
    public static Rule FreezePart(string method, string prefix = "") => (draft, entry) =>
    {
        if (draft.Text(method) != "freeze") draft.NoEffect(entry, $"for {method}: freeze only");
        else if (entry.IsOff || entry.Names is [{ Text: AllModules }] || draft.Number($"{prefix}freeze_trainable_layers") <= 0)
            draft.Shown(entry, $"model.trainable, see {prefix}freeze_trainable_layers");
        else
            draft.Refuse(entry,
                "goes with the last layers, whose numbers depend on the model; name them in a run file "
                + "of ours: model.trainable: [layers.30.mlp, layers.31.mlp]");
    };

    public static Rule DatasetDir { get; } = (draft, entry) =>
    {
        if (entry.Text == "ONLINE" || entry.Text.StartsWith("REMOTE:", StringComparison.Ordinal))
            draft.Refuse(entry,
                "is a place in the net, and nothing is downloaded; fetch the folder (hf download "
                + "ID --repo-type dataset --local-dir FOLDER) and name it");
        else if (draft.Has("dataset") || draft.Has("eval_dataset"))
            draft.Shown(entry, $"dir: {entry.Text} of every source");
    };

    /// <summary>Names of entries in dataset_info.json.</summary>
    public static Rule Dataset { get; } = (draft, entry) =>
    {
        var isEval = entry.Key == "eval_dataset";
        if (isEval && draft.Has("val_size"))
        {
            draft.Refuse(entry, "cannot stand beside val_size; keep one of them");
            return;
        }
        var weights = isEval ? null : Weights(draft, entry.Names.Count);
        var sources = entry.Names.Select((name, i) => (ConfigNode)new MapNode(name.Place, [.. Source(draft, name, weights?[i])]));
        draft.Became(entry, isEval ? "data.eval.sources" : "data.sources", new ListNode(entry.Value.Place, [.. sources]));
    };

    /// <summary>A share, or a number of rows from 1 on.</summary>
    public static Rule ValSize { get; } = (draft, entry) =>
    {
        var size = draft.Number(entry.Key);
        if (size < 1e-6) draft.NoEffect(entry, "nothing is held out");
        else if (size < 1) draft.Became(entry, "data.eval.fraction", entry.Value, "by the hash of the row");
        else draft.Became(entry, "data.eval.count", entry.Plain($"{(int)size}"), "by the hash of the row");
    };

    public static Rule EvalStrategy { get; } = (draft, entry) =>
    {
        var holdsOut = draft.Has("val_size") || draft.Has("eval_dataset");
        if (!holdsOut && entry.Text == "no") draft.NoEffect(entry, "nothing is held out");
        else if (!holdsOut) draft.Refuse(entry, "asks for evaluation, but nothing is held out; add val_size or eval_dataset, or leave it out");
        else if (!entry.IsDefault || !draft.Has("evaluation_strategy")) draft.Became(entry, "training.eval_strategy", entry.Value);
        if (!holdsOut || entry.Text != "steps" || draft.Has("eval_steps")) return;
        var steps = draft.Number("logging_steps") >= 1 ? draft.Text("logging_steps") : "500";   // transformers' defaults
        draft.Set("training.eval_steps", entry.Plain(steps));
    };

    public static Rule EvalSteps { get; } = (draft, entry) =>
    {
        if (draft.Text("eval_strategy") == "steps" || draft.Text("evaluation_strategy") == "steps")
            draft.Became(entry, "training.eval_steps", entry.Value);
        else draft.NoEffect(entry, "goes with eval_strategy: steps");
    };

    /// <summary>Off for conversations and on for texts, unless it is said.</summary>
    public static Rule Packing { get; } = (draft, entry) =>
    {
        var texts = draft.Text("stage") == Pretraining;
        if (texts)
        {
            var wrapped = entry.IsDefault || !entry.IsOff;
            var note = wrapped ? "texts as one stream, the last row may be shorter" : null;
            draft.Became(entry, "data.packing", entry.Plain(wrapped ? "wrapped" : "false"), note);
        }
        else if (draft.Has("neat_packing"))
        {
            draft.Set("data.packing", entry.Plain("true"));
            if (!entry.IsDefault) draft.Shown(entry, "data.packing: true");
        }
        else
        {
            var note = entry.IsOff ? null : "examples in a row do not see each other, as with neat_packing";
            draft.Became(entry, "data.packing", entry.Plain(entry.IsOff ? "false" : "true"), note);
        }
    };

    public static Rule GroupByLength { get; } = (draft, entry) =>
    {
        if (!entry.IsDefault || !draft.Has("train_sampling_strategy")) draft.Became(entry, "data.group_by_length", entry.Value);
    };

    public static Rule Template { get; } = (draft, entry) =>
        draft.NoEffect(entry, draft.Text("stage") == Pretraining ? "texts are not put into a template" : Reasons.OwnTemplate);

    public static Rule EnableThinking { get; } = (draft, entry) =>
    {
        if (!entry.IsOff || !Thinking.Contains(draft.Text("template"))) draft.NoEffect(entry, Reasons.OwnTemplate);
        else
            draft.Refuse(entry,
                "puts an empty thought before every answer as part of the prompt; give a template with "
                + "such a prompt by model.chat_template in a run file of ours");
    };

    /// <summary>warmup_steps comes first where it is more than 0; a constant schedule has no warm-up.</summary>
    public static Rule WarmupRatio { get; } = (draft, entry) =>
    {
        if (draft.Text("lr_scheduler_type") == "constant") draft.NoEffect(entry, "a constant schedule has no warm-up");
        else if (draft.Has("warmup_steps")) draft.NoEffect(entry, "warmup_steps comes first");
        else draft.Became(entry, "training.warmup_ratio", entry.Value);
    };

    public static Rule WarmupSteps { get; } = (draft, entry) =>
    {
        if (draft.Text("lr_scheduler_type") == "constant") draft.NoEffect(entry, "a constant schedule has no warm-up");
        else if (entry.IsOff && draft.Has("warmup_ratio")) draft.NoEffect(entry, "warmup_ratio comes first");
        else if (draft.Entry("warmup_ratio") is null || !entry.IsOff) draft.Became(entry, "training.warmup_steps", entry.Value);
    };

    public static void Finish(Draft draft)
    {
        if (draft.Entry("dataset") is null) draft.Problem(draft.Place, "dataset is missing: the names of entries in dataset_info.json to train on");
        if (draft.Entry("model_name_or_path") is null) draft.Problem(draft.Place, "model_name_or_path is missing: a model folder, or a hub id");
        draft.Set("data.truncation", new ScalarNode(draft.Place, "truncate", Quoted: false));
        draft.Note("data.truncation: truncate, since LLaMA-Factory cuts what is longer than cutoff_len (of a prompt it keeps the beginning, here the end is kept)");
        if (!draft.Has("bf16") && !draft.Has("pure_bf16") && !draft.Has("fp16"))
            draft.Note("model.dtype stays auto, bfloat16 on a GPU that has it, else float32; LLaMA-Factory would take the checkpoint's type");
        if (!draft.Has("do_train")) draft.Note("do_train is not set: LLaMA-Factory would not train");
    }

    private static IReadOnlyList<ScalarNode>? Weights(Draft draft, int sources)
    {
        if (draft.Entry("interleave_probs") is not { } probabilities) return null;
        if (!draft.Text("mix_strategy").StartsWith("interleave", StringComparison.Ordinal))
            draft.Problem(probabilities.Place, "interleave_probs goes with mix_strategy: interleave_under or interleave_over");
        else if (probabilities.Names.Count != sources)
            draft.Problem(probabilities.Place, FormattableString.Invariant($"interleave_probs has {probabilities.Names.Count} numbers for {sources} data sets"));
        else if (draft.Text("mix_strategy") != "interleave_once")
            return [.. probabilities.Names.Select(number => number with { Quoted = false })];
        return null;
    }

    private static IEnumerable<MapEntry> Source(Draft draft, ScalarNode name, ScalarNode? weight)
    {
        yield return new MapEntry("name", name.Place, name);
        yield return new MapEntry("dir", name.Place, draft.Entry("dataset_dir")!.Value);
        if (draft.Entry("max_samples") is { } most) yield return new MapEntry("limit", most.Place, most.Value);
        if (weight is not null) yield return new MapEntry("weight", weight.Place, weight);
    }
}
