using LlmTune.Config;
using static LlmTune.Recipes.OtherTools.Reasons;
using static LlmTune.Recipes.OtherTools.Rules;
using static LlmTune.Recipes.OtherTools.TorchtuneRules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>
/// Recipes of torchtune: sections that name the Python object they stand for (<c>_component_</c>) with its arguments. What the recipes take
/// stands in recipes/*.py, defaults of the objects in their own files.
/// </summary>
internal static class Torchtune
{
    private const string Component = "_component_";

    private static readonly string[]
        Images = ["model.image_size", "model.decoder_trainable", "model.encoder_trainable", "model.fusion_trainable", "tokenizer.image_size", "tokenizer.max_num_tiles", "collate_fn"],
        Preferences =
        [
            "ref_checkpointer", "policy_model", "reward_and_value_model", "ref_policy_checkpointer", "value_checkpointer", "reward_checkpointer", "reward_functions",
            "ppo_epochs", "ppo_batch_size", "grpo_samples", "num_steps",
        ],
        Distillation = ["teacher_model", "teacher_checkpointer", "kd_loss", "kd_ratio"];

    public static ForeignTool Tool { get; } = new("torchtune",
    [
        // the model
        new("model._component_", Builder),
        new("model.lora_attn_modules", Lora(Targets)),
        .. All(Lora(PartOfTargets), "model.apply_lora_to_mlp", "model.apply_lora_to_output"),
        new("model.lora_rank", Lora(To("adapter.r")), "8"),
        new("model.lora_alpha", Lora(To("adapter.lora_alpha")), "16"),
        new("model.lora_dropout", Lora(To("adapter.lora_dropout"))),
        new("model.use_dora", Lora(NotBuilt(Dora))),
        new("model.quantize_base", NotBuilt(Quantized)),
        .. All(First("is for images or sound, and only text is built", Images), Images),
        new("model.*", NotBuilt("makes a model of a shape of its own; here the config.json of checkpoint_dir says the shape: leave it out")),
        new("checkpointer._component_", Checkpointer),
        new("checkpointer.checkpoint_dir", To("model.path")),
        new("checkpointer.recipe_checkpoint", NotBuilt(Resume)),
        new("checkpointer.adapter_checkpoint", NotBuilt("goes on from an adapter in torchtune's form; adapter.path in a run file of ours takes one in PEFT's")),
        new("checkpointer.*", Unused("the folder of the model says what it is, the run folder takes the result")),
        new("resume_from_checkpoint", NotBuilt(Resume)),
        .. All(Unused(Checkpoints), "save_adapter_weights_only", "save_every_n_epochs", "save_every_n_steps", "enable_async_checkpointing"),
        new("tokenizer._component_", Unused("the tokenizer's files in the folder of the model are read")),
        .. All(TokenizerFile, "tokenizer.path", "tokenizer.merges_file", "tokenizer.vocab_path", "tokenizer.merges_path", "tokenizer.special_tokens_path"),
        new("tokenizer.max_seq_len", MaxLength),
        new("tokenizer.prompt_template", PromptTemplate),
        new("tokenizer.truncation_type", Truncation),
        new("tokenizer.*", NotBuilt("is a setting of torchtune's tokenizers; leave it out")),

        // the data
        new("dataset", TorchtuneDatasets.Rule("data.sources")),
        new("dataset_val", TorchtuneDatasets.Rule("data.eval.sources")),
        new("shuffle", To("data.shuffle")),
        new("batch_size", To("training.per_device_train_batch_size")),
        new("batch_size_val", To("training.per_device_eval_batch_size")),
        new("seed", To("training.seed")),
        new("run_val_every_n_steps", EvalSteps),
        .. All(Unused(Workers), "num_workers", "dataloader", "dataloader.*"),

        // training
        new("output_dir", To("training.output_dir")),
        new("epochs", To("training.num_train_epochs")),
        new("max_steps_per_epoch", MaxSteps),
        new("gradient_accumulation_steps", To("training.gradient_accumulation_steps"), "1"),
        new("optimizer._component_", OptimizerComponent),
        new("optimizer.lr", To("training.learning_rate")),
        new("optimizer.weight_decay", To("training.weight_decay"), "0.01"),
        new("optimizer.betas", Betas),
        new("optimizer.eps", To("training.adam_epsilon")),
        .. All(Unused(Speed), "optimizer.fused", "optimizer.foreach", "optimizer_in_bwd"),
        new("optimizer.*", NotBuilt("is a setting of the optimizer that is not built; leave it out")),
        new("lr_scheduler._component_", OneOf("training.lr_scheduler_type", Scheduler,
            ("torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup", "cosine"), ("torchtune.training.get_cosine_schedule_with_warmup", "cosine"),
            ("torchtune.modules.get_cosine_schedule_with_warmup", "cosine"), ("constant", "constant")), "constant"),
        new("lr_scheduler.num_warmup_steps", To("training.warmup_steps")),
        new("lr_scheduler.num_cycles", Cycles),
        new("lr_scheduler.*", NotBuilt(Scheduler)),
        new("clip_grad_norm", To("training.max_grad_norm"), "0"),
        new("loss._component_", Loss),
        new("loss.ignore_index", Unused("as the labels have it")),
        new("loss.num_output_chunks", Unused(Speed)),
        new("loss.*", PartOf("loss._component_")),
        new("enable_activation_checkpointing", Checkpointing),
        .. All(First("trains weights that are rounded as they will be when quantized, which is not built; leave it out", "quantizer", "fake_quant_after_n_steps"),
            "quantizer", "fake_quant_after_n_steps"),
        .. All(First(Preference, Preferences), Preferences),
        .. All(PartOf("ref_checkpointer"), "forward_batch_size", "max_generated_tokens", "temperature", "top_k", "stop_token_ids", "penalise_no_eos", "reward_penalty",
            "min_response_length", "whiten_rewards", "gamma", "lmbda", "kl_coeff", "num_generations", "inference", "orchestration", "postprocessing", "training"),
        .. All(First("learns from another model (distillation), which is not built", Distillation), Distillation),
        new("device", OnDevice),
        new("dtype", OneOf("model.dtype", "is a type that is not built; there are bf16, fp16 and fp32", ("bf16", "bfloat16"), ("fp16", "float16"), ("fp32", "float32"))),
        .. All(Unused(Speed), "compile", "enable_activation_offloading", "ac_mode", "ac_option", "activation_offloading_use_streams", "use_flex", "use_grouped_mm", "low_cpu_ram",
            "enable_kv_cache"),
        .. All(Unused(Reporting), "metric_logger", "metric_logger.*", "log_peak_memory_stats", "log_level", "profiler", "profiler.*", "name", "debug_logging_enabled",
            "debug_num_samples_per_step"),
        new("log_every_n_steps", To("training.logging_steps"), "1"),
        .. All(ManyDevices, "fsdp_cpu_offload", "fsdp_reshard_after_forward", "tensor_parallel_dim", "tensor_parallel_plan", "data_parallel_replicate_dim", "data_parallel_shard_dim",
            "context_parallel_dim", "custom_sharded_layers", "fsdp", "parallelism"),
        .. All(Unused(OneDevice), "use_distributed_state_dict", "memory_efficient_fsdp_wrap", "fsdp_sharding_strategy", "base_model_path"),
    ])
    {
        KnownBy = file => file.Entries.FirstOrDefault(entry => IsComponent(entry.Value)),
        Filled = References.Fill,
        OtherPurpose = Instead,
        Finish = TorchtuneRules.Finish,
    };

    /// <summary>Whether a section names the Python object that it stands for.</summary>
    public static bool IsComponent(ConfigNode node) => node is MapNode map && map[Component] is not null;

    /// <summary>Whether it or a section in it does.</summary>
    public static bool HasComponents(ConfigNode node) => IsComponent(node) || (node is MapNode map && map.Entries.Any(entry => IsComponent(entry.Value)));

    /// <summary>Files for the recipes that generate, measure and quantize.</summary>
    private static (string, string)? Instead(MapNode file)
    {
        if (file["optimizer"] is not null || file["dataset"] is not null || file["training"] is not null) return null;
        var model = ((file["checkpointer"] as MapNode)?["checkpoint_dir"] as ScalarNode)?.Text ?? "MODEL";
        if (file["tasks"] is not null) return ("tasks", $"this file measures a model, which is a command here: llmtune eval {model} --data FILE");
        if (file["quantizer"] is not null) return ("quantizer", "this file writes a quantized model, which is not built");
        return file["prompt"] is not null ? ("prompt", $"this file generates text, which is a command here: llmtune generate {model} --prompt TEXT") : null;
    }
}
