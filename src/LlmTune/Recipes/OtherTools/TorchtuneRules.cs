using LlmTune.Config;

namespace LlmTune.Recipes.OtherTools;

/// <summary>The keys of torchtune whose meaning depends on others, or whose values are Python objects.</summary>
internal static class TorchtuneRules
{
    private const string Model = "model._component_", CheckpointDir = "checkpointer.checkpoint_dir", MaxSeqLen = "tokenizer.max_seq_len";

    /// <summary>The parts of a block's feed-forward (w1, w3 and w2 there).</summary>
    private static readonly string[] Mlp = ["gate_proj", "up_proj", "down_proj"];

    /// <summary>The builder of the model: which method it stands for is said by its name, which shape by the folder.</summary>
    public static Rule Builder { get; } = (draft, entry) =>
    {
        var name = Short(entry.Text);
        if (name.StartsWith("lora_", StringComparison.Ordinal)) draft.Became(entry, "adapter.type", entry.Plain("lora"), "the model itself is that of checkpoint_dir");
        else if (name.StartsWith("qlora_", StringComparison.Ordinal)) draft.Refuse(entry, $"{Reasons.Quantized}: take {name[1..]}");
        else if (name.Contains("classifier", StringComparison.Ordinal) || name.Contains("reward", StringComparison.Ordinal)) draft.Refuse(entry, Reasons.Preference);
        else if (name.Contains("vision", StringComparison.Ordinal) || name.Contains("clip", StringComparison.Ordinal) || entry.Text.Contains("early_fusion", StringComparison.OrdinalIgnoreCase)
            || entry.Text.Contains("DeepFusion", StringComparison.Ordinal))
            draft.Refuse(entry, "is for images, and only text is built");
        else if (!entry.Text.StartsWith("torchtune.", StringComparison.Ordinal)) draft.Refuse(entry, "is Python of one's own; models are built in here");
        else draft.Shown(entry, "no adapter: the whole model is trained", "the model itself is that of checkpoint_dir");
    };

    /// <summary>A setting of a LoRA builder.</summary>
    public static Rule Lora(Rule rule) => (draft, entry) =>
    {
        if (IsLora(draft)) rule(draft, entry);
        else draft.NoEffect(entry, "goes with a lora_ builder");
    };

    public static Rule Targets { get; } = (draft, entry) =>
    {
        var names = entry.Names.Select(name => name.Text == "output_proj" ? name with { Text = "o_proj" } : name);
        var mlp = draft.Has("model.apply_lora_to_mlp") ? Mlp.Select(entry.Quoted) : [];
        var head = draft.Has("model.apply_lora_to_output") ? [entry.Quoted("lm_head")] : (IEnumerable<ScalarNode>)[];
        draft.Became(entry, "adapter.target_modules", new ListNode(entry.Value.Place, [.. names, .. mlp, .. head]));
    };

    public static Rule PartOfTargets { get; } = (draft, entry) => draft.Shown(entry, "adapter.target_modules, see model.lora_attn_modules");

    public static Rule Checkpointer { get; } = (draft, entry) =>
    {
        if (Short(entry.Text) == "FullModelHFCheckpointer") draft.NoEffect(entry, "Hugging Face folders are read");
        else draft.Refuse(entry, "reads weights in another form than Hugging Face's; FullModelHFCheckpointer with a Hugging Face folder is translated");
    };

    /// <summary>Files of the tokenizer in the folder of the model, or else in their own.</summary>
    public static Rule TokenizerFile { get; } = (draft, entry) =>
    {
        var model = draft.Text(CheckpointDir).TrimEnd('/');
        if (model.Length == 0 || entry.Text.StartsWith(model + "/", StringComparison.Ordinal)) draft.NoEffect(entry, "the tokenizer's files in the folder of the model are read");
        else draft.Became(entry, "model.tokenizer", entry.Quoted(Path.GetDirectoryName(entry.Text) is { Length: > 0 } folder ? folder.Replace('\\', '/') : "."));
    };

    public static Rule MaxLength { get; } = (draft, entry) =>
    {
        draft.Became(entry, "data.max_length", entry.Value);
        draft.Set("data.truncation", entry.Plain("truncate"));
        draft.Note("data.truncation: truncate, since torchtune cuts what is longer than max_seq_len");
    };

    public static Rule Truncation { get; } = (draft, entry) =>
    {
        if (entry.Text is "right") draft.NoEffect(entry, "as here");
        else draft.Refuse(entry, "cuts the beginning of long rows, which is not built; leave it out");
    };

    public static Rule PromptTemplate { get; } = (draft, entry) =>
    {
        if (Short(entry.Text) == "ChatMLTemplate") draft.Became(entry, "model.chat_template", entry.Plain("chatml"));
        else if (entry.Text.StartsWith("torchtune.models.", StringComparison.Ordinal)) draft.NoEffect(entry, Reasons.OwnTemplate);
        else draft.Refuse(entry, "writes prompts in words of its own; write them in a Jinja file, and name it as model.chat_template in a run file of ours");
    };

    public static Rule Checkpointing { get; } = (draft, entry) => draft.Became(entry, "training.gradient_checkpointing", entry.Plain(entry.IsOff ? "false" : "true"));

    public static Rule EvalSteps { get; } = (draft, entry) =>
    {
        if (!draft.Has("dataset_val")) draft.NoEffect(entry, "goes with dataset_val");
        else draft.Became(entry, "training.eval_steps", entry.Value);
    };

    public static Rule MaxSteps { get; } = (draft, entry) =>
    {
        var steps = (long)draft.Number(entry.Key) * Math.Max(1, (long)draft.Number("epochs"));
        draft.Became(entry, "training.max_steps", entry.Plain(FormattableString.Invariant($"{steps}")), "of all epochs; where the data are shorter they are seen again");
    };

    public static Rule OptimizerComponent { get; } = (draft, entry) =>
    {
        var name = Short(entry.Text);
        var few = name.Contains("8bit", StringComparison.OrdinalIgnoreCase) || name.Contains("4bit", StringComparison.OrdinalIgnoreCase);
        var paged = name.StartsWith("Paged", StringComparison.Ordinal);
        if (!name.Contains("AdamW", StringComparison.Ordinal)) draft.Refuse(entry, "is an optimizer that is not built; torch.optim.AdamW is");
        else draft.Became(entry, "training.optim", entry.Plain("adamw_torch_fused"), few ? Reasons.Eight : paged ? Reasons.Paged : null);
    };

    public static Rule Betas { get; } = (draft, entry) =>
    {
        if (entry.Value is not ListNode { Items: [ScalarNode first, ScalarNode second] })
        {
            draft.Refuse(entry, "must be two numbers");
            return;
        }
        draft.Set("training.adam_beta2", second);
        draft.Became(entry, "training.adam_beta1", first, $"and training.adam_beta2: {second.Text}");
    };

    /// <summary>Half a wave is what a cosine is without it.</summary>
    public static Rule Cycles { get; } = (draft, entry) =>
    {
        if (draft.Number(entry.Key) == 0.5) draft.NoEffect(entry, "as here");
        else draft.Became(entry, "training.lr_scheduler_kwargs", new MapNode(entry.Value.Place, [new MapEntry("num_cycles", entry.Place, entry.Value)]));
    };

    public static Rule Loss { get; } = (draft, entry) =>
    {
        var name = Short(entry.Text);
        if (name.Contains("CrossEntropy", StringComparison.Ordinal) || name is "CEWithChunkedOutputLoss") draft.NoEffect(entry, "cross entropy, as here");
        else if (entry.Text.Contains("rlhf", StringComparison.Ordinal) || name.Contains("DPO", StringComparison.Ordinal) || name.Contains("PPO", StringComparison.Ordinal)
            || name.Contains("GRPO", StringComparison.Ordinal))
            draft.Refuse(entry, Reasons.Preference);
        else draft.Refuse(entry, "is a loss that is not built; cross entropy is");
    };

    public static Rule OnDevice { get; } = (draft, entry) =>
    {
        if (entry.Text is "mps" or "xpu" or "npu" or "hpu") draft.Refuse(entry, "is a device that is not built; there are cpu and cuda");
        else draft.Became(entry, "device", entry.Value);
    };

    public static void Finish(Draft draft)
    {
        foreach (var (key, what) in ((string, string)[])[(CheckpointDir, "a model folder"), ("dataset", "what to train on"), ("optimizer.lr", "the learning rate"), ("output_dir", "where the run is written")])
            if (draft.Entry(key) is null) draft.Problem(draft.Place, $"{key} is missing: {what}");
        draft.Set("data.group_by_length", new ScalarNode(draft.Place, "false", Quoted: false));
        if (IsLora(draft) && draft.Entry("model.lora_attn_modules") is null) draft.Problem(draft.Entry(Model)!.Place, "model.lora_attn_modules is missing, which a lora_ builder asks for");
        if (!draft.Has(MaxSeqLen)) draft.Note("data.max_length stays 2048, and longer rows are left out and counted; torchtune takes rows of any length without tokenizer.max_seq_len");
        if (!IsLora(draft) && draft.Text("dtype") is "bf16") draft.Note("trained weights keep a copy in float32 here, where torchtune trains in bf16 alone");
        draft.Note("conversations go through the model's own chat template, which torchtune writes in code of its own");
    }

    private static bool IsLora(Draft draft) => Short(draft.Text(Model)).StartsWith("lora_", StringComparison.Ordinal);

    /// <summary>The name behind the last dot.</summary>
    internal static string Short(string component) => component[(component.LastIndexOf('.') + 1)..];
}
