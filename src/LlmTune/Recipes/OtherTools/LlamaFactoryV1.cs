using LlmTune.Config;
using static LlmTune.Recipes.OtherTools.Reasons;
using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>
/// Run files of LLaMA-Factory v1, which are in sections and name a file of data sets. Its arguments and their defaults stand in
/// src/llamafactory/v1/config/*.py and beside its plugins.
/// </summary>
internal static class LlamaFactoryV1
{
    private const string Method = "peft_config.name", Path = "peft_config.adapter_name_or_path", Peft = "peft_config.";

    public static ForeignTool Tool { get; } = new("LLaMA-Factory v1",
    [
        // the model
        new("model", To("model.path")),
        new("custom_chat_template", To("model.chat_template")),
        new("model_class", (draft, entry) =>
        {
            if (entry.Text == "llm") draft.NoEffect(entry, "as here");
            else draft.Refuse(entry, "is no language model; only these are built");
        }),
        new("bf16", Precision("bfloat16"), "true"),
        new("quant_config.quantization_bit", NotBuilt(Quantized)),
        .. All(PartOf("quant_config.quantization_bit"), "quant_config", "quant_config.*"),
        .. All(Unused(Code), "trust_remote_code"),
        .. All(Unused(Speed), "flash_attn", "init_config", "init_config.*", "kernel_config", "kernel_config.*", "full_determinism"),

        // the method
        new(Method, (draft, entry) =>
        {
            if (entry.Text == "lora") draft.Became(entry, "adapter.type", entry.Value);
            else if (entry.Text == "freeze") draft.Shown(entry, "no adapter, but model.trainable");
            else draft.Refuse(entry, "is a method that is not built; there are lora and freeze, and without peft_config the whole model is trained");
        }),
        new(Path, AdapterPath(Method)),
        new("peft_config.r", Lora(To("adapter.r")), "8"),
        new("peft_config.lora_alpha", Lora(To("adapter.lora_alpha")), "16"),
        new("peft_config.lora_dropout", Lora(To("adapter.lora_dropout")), "0.05"),
        new("peft_config.target_modules", Lora(LlamaFactoryRules.Target), "all"),
        new("peft_config.use_rslora", Lora(To("adapter.use_rslora"))),
        new("peft_config.use_dora", Lora(NotBuilt(Dora))),
        new("peft_config.modules_to_save", Lora(Names("adapter.modules_to_save"))),
        new("peft_config.freeze_trainable_layers", LlamaFactoryRules.FreezeLayers(Method, Peft), "2"),
        new("peft_config.freeze_trainable_modules", LlamaFactoryRules.FreezePart(Method, Peft)),
        new("peft_config.freeze_extra_modules", LlamaFactoryRules.FreezePart(Method, Peft)),
        new("peft_config.cast_trainable_params_to_fp32", Unused("trained weights keep a copy in float32")),
        .. All(Unused("llmtune merge writes merged models"), "peft_config.export_size", "peft_config.infer_dtype",
            "peft_config.export_legacy_format"),
        .. All(Unused("for preference training only"), "pref_loss", "pref_beta", "pref_ftx", "simpo_gamma", "dpo_label_smoothing", "ld_alpha"),

        // the data
        new("train_dataset", LlamaFactoryV1Data.Rule("data.sources")),
        new("eval_dataset", LlamaFactoryV1Data.Rule("data.eval.sources")),
        new("cutoff_len", To("data.max_length")),   // 2048 in both
        new("batching_strategy", OneOf("data.packing", "fills batches by tokens, which is not built; normal fills them by rows", ("normal",
            "false"), ("padding_free", "false")), "normal"),
        new("batching_workers", Unused(Workers)),

        // training
        new("output_dir", To("training.output_dir")),
        new("micro_batch_size", To("training.per_device_train_batch_size"), "1"),
        new("global_batch_size", (draft, entry) =>
        {
            var (rows, micro) = ((int)draft.Number(entry.Key), (int)draft.Number("micro_batch_size"));
            if (micro < 1 || rows < micro || rows % micro != 0) draft.Refuse(entry, "must be a multiple of micro_batch_size");
            else draft.Became(entry, "training.gradient_accumulation_steps", entry.Plain($"{rows / micro}"), "global_batch_size ÷ micro_batch_size");
        }),
        new("learning_rate", To("training.learning_rate"), "1e-4"),
        new("num_train_epochs", To("training.num_train_epochs")),
        new("max_steps", To("training.max_steps")),
        new("max_grad_norm", To("training.max_grad_norm")),
        new("seed", To("training.seed")),
        new("logging_steps", To("training.logging_steps")),
        new("enable_activation_checkpointing", (draft, entry) =>
        {
            if (entry.IsOff) draft.Became(entry, "training.gradient_checkpointing", entry.Plain("false"));
            else draft.NoEffect(entry, "as many blocks are recomputed as the memory asks for");
        }),
        .. All(NotBuilt(Optimizer), "optim_config", "optim_config.name"),
        new("optim_config.*", PartOf("optim_config.name")),
        .. All(NotBuilt(Scheduler), "lr_scheduler_config", "lr_scheduler_config.name"),
        new("lr_scheduler_config.*", PartOf("lr_scheduler_config.name")),
        new("resume_from_checkpoint", NotBuilt(Resume)),
        .. All(Unused(Checkpoints), "save_steps", "save_epochs", "save_ckpt_as_hf", "save_total_limit"),
        .. All(ManyDevices, "dist_config", "dist_config.name"),
        .. All(Unused(OneDevice), "dist_config.*", "dp_size", "cp_size", "cp_mode", "mp_replicate_size", "mp_shard_size", "dist_timeout"),
        .. All(Unused(Generating), "sample_backend", "max_new_tokens"),
    ])
    {
        Marks = ["train_dataset", "model_class", "peft_config"],
        OtherPurpose = Instead,
        Finish = Finish,
    };

    private static Rule Lora(Rule rule) => LlamaFactoryRules.Lora(Method, Path, rule);

    private static (string, string)? Instead(MapNode file)
    {
        if (file["peft_config"] is not MapNode peft || peft["export_dir"] is not ScalarNode output) return null;
        var command = LlamaFactoryCommands.Merge(Text(file["model"], "MODEL"), Text(peft["adapter_name_or_path"], "ADAPTER"), output.Text);
        return ("peft_config", $"this file merges an adapter, which is a command here: {command}");
    }

    private static void Finish(Draft draft)
    {
        if (draft.Entry("train_dataset") is null) draft.Problem(draft.Place, "train_dataset is missing: a file of data sets, or of rows");
        if (draft.Entry("output_dir") is null) draft.Problem(draft.Place, "output_dir is missing; LLaMA-Factory would make up a name");
        foreach (var (ours, value) in ((string, string)[])
        [
            ("training.lr_scheduler_type", "constant"), ("training.weight_decay", "0.01"), ("data.truncation",
                "truncate"), ("data.group_by_length", "false"),
        ])
            draft.Set(ours, new ScalarNode(draft.Place, value, Quoted: false));
        if (!draft.Has("bf16")) draft.Note("model.dtype stays auto, bfloat16 on a GPU that has it, else float32");
        draft.Note("a constant learning rate, a weight decay of 0.01, and longer rows are cut: so LLaMA-Factory v1 does unless told otherwise");
        draft.Note("the last rows of an epoch are trained on too, and a conversation is one row, where LLaMA-Factory v1 makes a row of each answer");
    }

    private static string Text(ConfigNode? node, string otherwise) => (node as ScalarNode)?.Text ?? otherwise;
}
