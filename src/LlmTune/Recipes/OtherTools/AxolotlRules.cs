using System.Text.RegularExpressions;
using LlmTune.Config;
using LlmTune.Models;
using LlmTune.Tokenization;
using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The keys of axolotl whose meaning depends on others.</summary>
internal static partial class AxolotlRules
{
    /// <summary>Plugins that compute the same in another way, or report.</summary>
    private static readonly string[] HarmlessPlugins =
        ["axolotl.integrations.liger.LigerPlugin", "axolotl.integrations.cut_cross_entropy.CutCrossEntropyPlugin",
            "axolotl.integrations.kernels.KernelsPlugin", "axolotl.integrations.swanlab.SwanLabPlugin"];

    private static readonly string[] Linear = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    public static Rule Adapter { get; } = (draft, entry) =>
    {
        if (entry.Text == "lora") draft.Became(entry, "adapter.type", entry.Value);
        else if (entry.Text == "qlora")
            draft.Refuse(entry,
                "is LoRA on a base in 4 bits, which is not built; adapter: lora without "
                + "load_in_4bit trains on the whole weights (more memory)");
        else draft.Refuse(entry, "is an adapter that is not built; lora is, and without this key the whole model is trained");
    };

    /// <summary>A setting of a fresh adapter.</summary>
    public static Rule Lora(Rule rule) => (draft, entry) =>
    {
        if (draft.Entry("adapter") is null) draft.NoEffect(entry, "goes with adapter: lora");
        else if (draft.Has("lora_model_dir")) draft.NoEffect(entry, "the adapter of lora_model_dir keeps its own");
        else rule(draft, entry);
    };

    public static Rule TargetLinear { get; } = (draft, entry) =>
    {
        if (entry.IsOff) draft.NoEffect(entry, "switched off");
        else draft.Became(entry, "adapter.target_modules", entry.Plain("all-linear"));
    };

    /// <summary>A list of names, or a regular expression; beside lora_target_linear the names are taken as well.</summary>
    public static Rule TargetModules { get; } = (draft, entry) =>
    {
        if (!draft.Has("lora_target_linear")) draft.Became(entry, "adapter.target_modules", entry.Value);
        else if (entry.Names.All(name => Linear.Contains(name.Text))) draft.NoEffect(entry, "lora_target_linear takes all of them");
        else
            draft.Refuse(entry,
                "names other modules than the linear layers beside lora_target_linear; write all of "
                + "them in lora_target_modules, without lora_target_linear");
    };

    public static Rule InitWeights { get; } = (draft, entry) =>
    {
        if (entry.Text is "true" or "True") draft.NoEffect(entry, "as here");
        else draft.Refuse(entry, "is a way to begin that is not built; leave it out");
    };

    /// <summary>A key that has no effect where it names what another one names.</summary>
    public static Rule Same(string key, string why) => (draft, entry) =>
    {
        if (entry.Text == draft.Text(key)) draft.NoEffect(entry, $"as {key}");
        else draft.Refuse(entry, why);
    };

    public static Rule Bf16 { get; } = (draft, entry) =>
    {
        if (draft.Has("fp16")) draft.NoEffect(entry, "fp16 says it");
        else if (entry.Text == "auto") draft.Became(entry, "model.dtype", entry.Value);
        else if (entry.IsOff && !draft.Has("bfloat16") && !draft.Has("float16")) draft.Became(entry, "model.dtype", entry.Plain("float32"));
        else Precision("bfloat16")(draft, entry);
    };

    public static Rule ChatTemplate { get; } = (draft, entry) =>
    {
        if (entry is { Text: "chatml", Key: "chat_template" }) draft.Became(entry, "model.chat_template", entry.Value, "in the place of the model's own");
        else if (entry.Text != "jinja") draft.NoEffect(entry, Reasons.OwnTemplate);
        else if (draft.Has("chat_template_jinja")) draft.NoEffect(entry, "chat_template_jinja is it");
        else draft.Refuse(entry, "needs chat_template_jinja beside it");
    };

    /// <summary>A special token that the tokenizer has already.</summary>
    public static Rule SpecialToken { get; } = (draft, entry) =>
    {
        string folder;
        try
        {
            folder = TokenizerFolder(draft);
        }
        catch (RequestException e)
        {
            draft.NoEffect(entry, "to be compared with the tokenizer's");
            draft.ProblemOnce(draft.Entry(TokenizerKey(draft))?.Place ?? draft.Place, e.Message);
            return;
        }
        if (entry.Text == TokenizerConfig.Load(folder).Token(entry.Key["special_tokens.".Length..])) draft.NoEffect(entry, "as the tokenizer has it");
        else draft.Refuse(entry, "is not the tokenizer's own; change it in tokenizer_config.json, and leave it out here");
    };

    public static Rule Packing { get; } = (draft, entry) =>
    {
        if (draft.Entry("pretraining_dataset") is null && AxolotlDatasets.AreTexts(draft))
            draft.Became(entry, "data.packing", entry.Plain("wrapped"), "completion texts are cut into rows of sequence_len: one stream of them");
        else if (draft.Entry("pretraining_dataset") is null) draft.Became(entry, "data.packing", entry.Plain(entry.IsOff ? "false" : "true"));
        else if (!entry.IsDefault) draft.NoEffect(entry, "texts of pretraining_dataset are one stream");
    };

    /// <summary>A share, or a number of rows from 1 on.</summary>
    public static Rule ValSetSize { get; } = (draft, entry) =>
    {
        var size = draft.Number(entry.Key);
        if (entry.IsOff) draft.NoEffect(entry, "nothing is held out");
        else if (draft.Has("test_datasets")) draft.Refuse(entry, "cannot stand beside test_datasets; keep one of them");
        else if (size >= 1) draft.Became(entry, "data.eval.count", entry.Plain($"{(int)size}"), "by the hash of the row");
        else draft.Became(entry, "data.eval.fraction", entry.Value, "by the hash of the row");
    };

    /// <summary>Rows of a step, by which the accumulation may be said.</summary>
    public static Rule BatchSize { get; } = (draft, entry) =>
    {
        var (rows, micro) = ((int)draft.Number(entry.Key), (int)draft.Number("micro_batch_size"));
        if (draft.Has("gradient_accumulation_steps")) draft.NoEffect(entry, "gradient_accumulation_steps says it");
        else if (micro < 1 || rows < micro) draft.Refuse(entry, "must be at least micro_batch_size");
        else draft.Became(entry, "training.gradient_accumulation_steps", entry.Plain($"{rows / micro}"), "batch_size ÷ micro_batch_size");
    };

    public static Rule Warmup(string ours) => (draft, entry) =>
    {
        if (draft.Text("lr_scheduler") == "constant") draft.NoEffect(entry, "a constant schedule has no warm-up");
        else if (entry.Key == "warmup_ratio" && draft.Entry("warmup_steps") is not null) draft.NoEffect(entry, "warmup_steps comes first");
        else draft.Became(entry, ours, entry.Value, entry.IsDefault ? "there 100 steps at most" : null);
    };

    public static Rule Checkpointing { get; } = (draft, entry) =>
        draft.Became(
            entry,
            "training.gradient_checkpointing",
            entry.Text.StartsWith("offload", StringComparison.Ordinal) ? entry.Plain("true") : entry.Value);

    public static Rule EvalStrategy { get; } = (draft, entry) =>
    {
        if (!HoldsOut(draft)) draft.NoEffect(entry, "nothing is held out");
        else if (entry.IsDefault && draft.Has("evaluation_strategy")) return;
        else if (draft.Has("eval_steps") || draft.Entry("evals_per_epoch") is not null) draft.NoEffect(entry, "eval_steps or evals_per_epoch says it");
        else draft.Became(entry, "training.eval_strategy", entry.Value);
    };

    /// <summary>Steps, or below 1 a share of the run.</summary>
    public static Rule EvalSteps { get; } = (draft, entry) =>
    {
        if (!HoldsOut(draft)) draft.NoEffect(entry, "nothing is held out");
        else if (draft.Number(entry.Key) >= 1) draft.Became(entry, "training.eval_steps", entry.Value);
        else EachEpoch(draft, entry, "a share of the run cannot be said");
    };

    public static Rule EvalsPerEpoch { get; } = (draft, entry) =>
    {
        if (!HoldsOut(draft)) draft.NoEffect(entry, "nothing is held out");
        else if (entry.IsOff) draft.Became(entry, "training.eval_strategy", entry.Plain("no"));
        else EachEpoch(draft, entry, draft.Number(entry.Key) == 1 ? null : "once an epoch; training.eval_steps says it in steps");
    };

    /// <summary>Names of tensors by regular expressions in which dots are dots; those that are plain names are ours too.</summary>
    public static Rule Unfrozen { get; } = (draft, entry) =>
    {
        var names = entry.Names.Select(name => name with { Text = name.Text.TrimStart('^').TrimEnd('$') }).ToList();
        if (names.Find(name => !PlainName().IsMatch(name.Text)) is { } other)
            draft.Refuse(entry,
                $"has '{other.Text}', a regular expression; name parts of the model in a run "
                + "file of ours: model.trainable: [lm_head, layers.30]");
        else if (draft.Has("adapter")) draft.Refuse(entry, "has no effect beside an adapter, which alone is trained; leave one of the two out");
        else draft.Became(entry, "model.trainable", new ListNode(entry.Value.Place, names));
    };

    public static Rule Plugins { get; } = (draft, entry) =>
    {
        var other = entry.Names.FirstOrDefault(name => !HarmlessPlugins.Contains(name.Text));
        if (other is null) draft.NoEffect(entry, Reasons.Speed);
        else draft.Refuse(entry, $"has {other.Text}, which is Python; leave it out");
    };

    public static void Finish(Draft draft)
    {
        if (draft.Entry("base_model") is null) draft.Problem(draft.Place, "base_model is missing: a model folder, or a hub id");
        if (draft.Entry("datasets") is null && draft.Entry("pretraining_dataset") is null)
            draft.Problem(draft.Place, "datasets is missing: what to train on");
        if (draft.Entry("learning_rate") is null) draft.Problem(draft.Place, "learning_rate is missing, which axolotl asks for");
        if (draft.Text("adapter") != "lora" || draft.Has("lora_model_dir")) return;
        foreach (var key in (string[])["lora_r", "lora_alpha"])
            if (draft.Entry(key) is null)
                draft.Problem(draft.Entry("adapter")!.Place, $"{key} is missing, which axolotl asks for beside adapter: lora");
        if (!draft.Has("lora_target_linear") && !draft.Has("lora_target_modules"))
            draft.Problem(draft.Entry("adapter")!.Place, "lora_target_linear or lora_target_modules is missing: without them axolotl adapts nothing");
    }

    private static bool HoldsOut(Draft draft) => draft.Has("val_set_size") || draft.Has("test_datasets");

    private static string TokenizerKey(Draft draft) => draft.Has("tokenizer_config") ? "tokenizer_config" : "base_model";

    /// <exception cref="RequestException">The model is not here.</exception>
    private static string TokenizerFolder(Draft draft)
    {
        var model = draft.Text(TokenizerKey(draft));
        var folder = Path.Combine(draft.Place.Folder, model);
        return Directory.Exists(folder) ? folder : HubCache.Resolve(model);
    }

    private static void EachEpoch(Draft draft, ForeignEntry entry, string? note) =>
        draft.Became(entry, "training.eval_strategy", entry.Plain("epoch"), note);

    [GeneratedRegex(@"^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*\z")]
    private static partial Regex PlainName();
}
