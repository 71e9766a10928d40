using static LlmTune.Recipes.OtherTools.LlamaFactoryRules;
using static LlmTune.Recipes.OtherTools.Reasons;
using static LlmTune.Recipes.OtherTools.Rules;

namespace LlmTune.Recipes.OtherTools;

/// <summary>
/// Flat run files of LLaMA-Factory. Its arguments and their defaults stand in src/llamafactory/hparams/*.py, those of training in
/// transformers' TrainingArguments.
/// </summary>
internal static class LlamaFactory
{
    private static readonly string[] Images =
    [
        "image_max_pixels", "image_min_pixels", "image_do_pan_and_scan", "crop_to_patches", "video_max_pixels", "video_min_pixels", "video_fps",
        "video_maxlen", "use_audio_in_video", "audio_sampling_rate", "media_dir",
    ];

    /// <summary>Of both Megatron backends.</summary>
    private static readonly string[] Megatron =
    [
        "tensor_model_parallel_size", "pipeline_model_parallel_size", "expert_model_parallel_size", "context_parallel_size",
        "virtual_pipeline_model_parallel_size",
        "sequence_parallel", "recompute_granularity", "recompute_method", "recompute_num_layers", "account_for_embedding_in_pipeline_split",
        "account_for_loss_in_pipeline_split", "bias_activation_fusion", "apply_rope_fusion", "masked_softmax_fusion", "cross_entropy_loss_fusion",
        "moe_grouped_gemm",
        "moe_token_dispatcher_type", "calculate_per_token_loss", "use_distributed_optimizer", "overlap_param_gather", "overlap_grad_reduce",
        "use_packed_sequences",
        "mixed_precision", "megatron_pretrained_checkpoint", "export_hf_on_finish", "extra_config", "use_mca", "use_megatron_bridge",
    ];

    public static ForeignTool Tool { get; } = new("LLaMA-Factory",
    [
        // the model
        new("model_name_or_path", To("model.path")),
        new("adapter_name_or_path", Adapter),
        new("train_from_scratch", (draft, entry) =>
        {
            if (entry.IsOff) draft.NoEffect(entry, "switched off");
            else draft.Became(entry, "model.init", entry.Plain("random"));
        }),
        new("bf16", Precision("bfloat16")),
        new("pure_bf16", Precision("bfloat16", "trained weights keep a copy in float32 here")),
        new("fp16", Precision("float16", "without loss scaling")),
        new("model_revision", (draft, entry) =>
        {
            if (entry.Text == "main") draft.NoEffect(entry, Hub);
            else
                draft.Refuse(entry,
                    "is a revision of the Hub, and the local cache is read as it is; give "
                    + "the folder of the snapshot as model_name_or_path");
        }),
        new("template", Template),
        new("enable_thinking", EnableThinking),
        new("default_system", NotBuilt("is written before every conversation, which is not built; write it as the first turn of the rows")),
        new("rope_scaling", NotBuilt("stretches the positions, which is set in the model's config.json (rope_scaling); leave it out here")),
        new("quantization_bit", NotBuilt(Quantized)),
        .. All(PartOf("quantization_bit"), "quantization_method", "quantization_type", "double_quantization", "quantization_device_map"),
        new("shift_attn", NotBuilt("is shifted sparse attention, which is not built; leave it out")),
        new("mixture_of_depths", NotBuilt("makes layers skip tokens, which is not built; leave it out")),
        new("moe_aux_loss_coef", NotBuilt("balances experts, and mixtures of experts are not built; leave it out")),
        .. All(NotBuilt(Tokens), "resize_vocab", "add_tokens", "add_special_tokens", "new_special_tokens_config"),
        new("init_special_tokens", Unused("no tokens are added")),
        new("split_special_tokens", NotBuilt("takes special tokens in the data apart, which is not built; leave it out")),
        new("infer_dtype", (draft, entry) =>
        {
            if (entry.Text == "auto") draft.NoEffect(entry, Generating);
            else draft.Refuse(entry, "is the type of the weights; say bf16: true or fp16: true in its place");
        }),
        .. All(First("is for images, video or sound, and only text is built; leave such keys out to train a language model", Images), Images),
        .. All(Unused("the models here have no part for images"), "freeze_vision_tower", "freeze_multi_modal_projector"),
        new("freeze_language_model", NotBuilt("leaves nothing of a language model to train")),
        .. All(Unused(Code), "trust_remote_code", "use_fast_tokenizer"),
        .. All(Unused(Hub), "cache_dir", "hf_hub_token", "ms_hub_token", "om_hub_token", "adapter_folder"),
        .. All(Unused(Speed), "flash_attn", "use_unsloth", "use_unsloth_gc", "enable_liger_kernel", "use_v1_kernels", "low_cpu_mem_usage",
            "offload_folder",
            "use_reentrant_gc", "use_kv_cache", "print_param_status"),
        .. All(Unused(Float32), "upcast_layernorm", "upcast_lmhead_output"),
        .. All(Unused(Generating), "infer_backend", "vllm_*", "sglang_*"),

        // the method
        new("stage", Stage, "sft"),
        new("finetuning_type", FinetuningType, "lora"),
        new("lora_rank", Lora(To("adapter.r")), "8"),
        new("lora_alpha", Lora(To("adapter.lora_alpha"))),
        new("lora_dropout", Lora(To("adapter.lora_dropout"))),
        new("lora_target", Lora(Target), "all"),
        new("additional_target", Lora(Names("adapter.modules_to_save"))),
        new("use_rslora", Lora(To("adapter.use_rslora"))),
        new("use_dora", Lora(NotBuilt(Dora))),
        new("pissa_init", Lora(NotBuilt("starts from the main singular vectors (PiSSA), which is not built; leave it out"))),
        .. All(PartOf("pissa_init"), "pissa_iter", "pissa_convert"),
        new("loraplus_lr_ratio", Lora(NotBuilt(LoraPlus))),
        new("loraplus_lr_embedding", PartOf("loraplus_lr_ratio")),
        new("create_new_adapter", (draft, entry) =>
        {
            if (!draft.Has("adapter_name_or_path") || entry.IsOff) draft.NoEffect(entry, "goes with adapter_name_or_path");
            else
                draft.Refuse(entry,
                    "begins anew on a merged base: merge it first (llmtune merge ADAPTER --output "
                    + "FOLDER), and give that folder as model_name_or_path");
        }),
        new("freeze_trainable_layers", FreezeLayers("finetuning_type"), "2"),
        new("freeze_trainable_modules", FreezePart("finetuning_type")),
        new("freeze_extra_modules", FreezePart("finetuning_type")),
        new("use_llama_pro", NotBuilt("trains blocks that were put in between (LLaMA Pro), which is not built; leave it out")),
        .. All(PartOf("finetuning_type"), "oft_rank", "oft_block_size", "oft_target", "module_dropout"),
        new("use_dft_loss", NotBuilt("is another loss (DFT), which is not built; leave it out")),
        new("use_asft_loss", NotBuilt("is another loss (ASFT), which is not built; leave it out")),
        new("asft_alpha", PartOf("use_asft_loss")),
        new("use_eaft_loss", NotBuilt("is another loss (EAFT), which is not built; leave it out")),
        new("eaft_alpha", PartOf("use_eaft_loss")),
        new("label_smoothing_factor", NotBuilt("is not built; leave it out")),
        new("neftune_noise_alpha", NotBuilt(Neftune)),
        .. All(PartOf("stage"), "pref_*", "dpo_label_smoothing", "kto_*", "simpo_gamma", "ppo_*", "ref_model*", "reward_model*", "ld_alpha"),

        // the data
        new("dataset", Dataset),
        new("eval_dataset", Dataset),
        new("dataset_dir", DatasetDir, "data"),
        new("max_samples", (draft, entry) => draft.Shown(entry, $"limit: {entry.Text} of every source")),
        new("mix_strategy", OneOf("data.mixing", "is no way to mix; there are concat, interleave_under, interleave_over and interleave_once",
            ("concat", "once"), ("interleave_under", "first_exhausted"), ("interleave_over", "all_exhausted"), ("interleave_once", "once"))),
        new("interleave_probs", (draft, entry) => draft.Shown(entry, "weight of each source")),
        new("val_size", ValSize),
        new("cutoff_len", To("data.max_length")),   // 2048 in both
        new("packing", Packing, "null"),
        new("neat_packing", (draft, entry) => draft.Shown(entry, entry.IsOff ? "data.packing, see packing" : "data.packing: true")),
        new("train_on_prompt", To("data.train_on_prompt")),
        new("mask_history", To("data.mask_history")),
        new("disable_shuffling", Not("data.shuffle")),
        new("group_by_length", GroupByLength, "false"),
        new("train_sampling_strategy", OneOf("data.group_by_length", "is a way to draw rows that is not built; leave it out", ("random",
            "false"), ("group_by_length", "true"))),
        new("tokenized_path", (draft, entry) =>
        {
            if (Path.Exists(Path.Combine(draft.Place.Folder, entry.Text)))
                draft.Refuse(entry, "holds tokens in a form that is not read here, and they would replace dataset; leave it out");
            else draft.NoEffect(entry, Cache);
        }),
        .. All(Unused(Cache), "overwrite_cache", "data_shared_file_system"),
        .. All(Unused(Workers), "preprocessing_num_workers", "preprocessing_batch_size", "dataloader_num_workers", "dataloader_prefetch_factor",
            "dataloader_pin_memory", "dataloader_persistent_workers"),
        .. All(Unused("rows are tokenized to disk first, and drawn from all of them"), "streaming", "buffer_size"),
        .. All(Unused("no padding is computed on"), "ignore_pad_token_for_loss", "length_column_name"),
        new("tool_format", Unused(OwnTemplate)),
        new("preserve_thinking", NotBuilt("keeps the thoughts of earlier turns, which the model's own template decides here; leave it out")),
        new("eval_on_each_dataset", Unused("the held-out loss is said by source anyway")),

        // training
        new("output_dir", To("training.output_dir"), "trainer_output"),
        new("per_device_train_batch_size", To("training.per_device_train_batch_size"), "8"),
        new("per_device_eval_batch_size", To("training.per_device_eval_batch_size")),
        new("gradient_accumulation_steps", To("training.gradient_accumulation_steps")),
        new("num_train_epochs", To("training.num_train_epochs")),
        new("max_steps", To("training.max_steps")),
        new("learning_rate", To("training.learning_rate"), "5e-5"),
        new("lr_scheduler_type", OneOf("training.lr_scheduler_type", Scheduler, Schedulers), "linear"),
        new("lr_scheduler_kwargs", To("training.lr_scheduler_kwargs")),
        new("warmup_ratio", WarmupRatio),
        new("warmup_steps", WarmupSteps, "0"),
        new("optim", OptimizerRule),
        new("optim_args", NotBuilt("has settings of optimizers that are not built; leave it out")),
        new("adafactor", NotBuilt(Optimizer)),
        new("weight_decay", To("training.weight_decay")),
        new("adam_beta1", To("training.adam_beta1")),
        new("adam_beta2", To("training.adam_beta2")),
        new("adam_epsilon", To("training.adam_epsilon")),
        new("max_grad_norm", To("training.max_grad_norm")),
        new("seed", To("training.seed")),
        new("data_seed", To("training.data_seed")),
        new("disable_gradient_checkpointing", (draft, entry) =>
        {
            if (entry.IsOff) draft.NoEffect(entry, "as many blocks are recomputed as the memory asks for");
            else draft.Became(entry, "training.gradient_checkpointing", entry.Plain("false"));
        }),
        new("gradient_checkpointing", To("training.gradient_checkpointing")),
        new("eval_strategy", EvalStrategy, "no"),
        new("evaluation_strategy", EvalStrategy),
        new("eval_steps", EvalSteps),
        .. All(NotBuilt("puts evaluations off, which is not built; leave it out"), "eval_delay"),
        new("logging_steps", (draft, entry) =>
        {
            if (draft.Number(entry.Key) >= 1) draft.Became(entry, "training.logging_steps", entry.Value);
            else draft.NoEffect(entry, Reporting);
        }),
        .. All(NotBuilt("uses another optimizer, which is not built; leave it out for AdamW"), "use_galore", "use_apollo", "use_badam",
            "use_adam_mini", "use_muon"),
        new("galore_*", PartOf("use_galore")),
        new("apollo_*", PartOf("use_apollo")),
        new("badam_*", PartOf("use_badam")),
        new("optim_target_modules", NotBuilt(Optimizer)),
        new("fp8", NotBuilt("computes in 8 bits, which is not built; leave it out")),
        .. All(PartOf("fp8"), "fp8_backend", "fp8_enable_fsdp_float8_all_gather"),
        new("dataloader_drop_last", NotBuilt("leaves the last rows of an epoch out, which here are trained on; leave it out")),
        new("load_best_model_at_end", NotBuilt(Best)),
        .. All(PartOf("load_best_model_at_end"), "metric_for_best_model", "greater_is_better"),
        new("early_stopping_steps", NotBuilt("ends a run early, which is not built; leave it out")),
        new("resume_from_checkpoint", NotBuilt(Resume)),
        new("auto_find_batch_size", Unused("per_device_train_batch_size is taken as it is")),
        .. All(Cpu, "use_cpu", "no_cuda"),
        new("do_train", Unused("llmtune train trains")),
        .. All(Unused("what is held out is measured before and after training anyway"), "do_eval", "eval_on_start", "prediction_loss_only"),
        .. All(Unused("answers are measured by llmtune eval"), "do_predict", "predict_with_generate", "compute_accuracy", "generation_*",
            "eval_num_beams", "sortish_sampler"),
        .. All(Unused(Checkpoints), "save_strategy", "save_steps", "save_total_limit", "save_only_model", "save_safetensors", "save_on_each_node",
            "ignore_data_skip",
            "restore_callback_states_from_checkpoint"),
        .. All(Unused("--force replaces a run that is in output_dir"), "overwrite_output_dir"),
        .. All(Unused(Reporting), "report_to", "run_name", "project", "plot_loss", "logging_dir", "logging_strategy", "logging_first_step",
            "logging_nan_inf_filter",
            "log_level", "log_level_replica", "log_on_each_node", "disable_tqdm", "include_tokens_per_second", "include_num_input_tokens_seen",
            "include_effective_tokens_per_second", "use_swanlab", "swanlab_*", "trackio_*", "skip_memory_metrics", "debug"),
        .. All(Unused(Hub), "push_to_hub", "push_to_hub_*", "hub_*"),
        .. All(Unused(Speed), "gradient_checkpointing_kwargs", "torch_compile*", "torchdynamo", "use_liger_kernel", "liger_kernel_config", "tf32",
            "bf16_full_eval",
            "fp16_full_eval", "fp16_opt_level", "fp16_backend", "half_precision_backend", "eval_accumulation_steps", "torch_empty_cache_steps",
            "full_determinism",
            "jit_mode_eval", "batch_eval_metrics", "eval_do_concat_batches", "remove_unused_columns", "label_names", "average_tokens_across_devices",
            "enable_torch_profiler", "profiler_*", "profile_modules"),
        .. All(ManyDevices, "deepspeed", "fsdp", "fsdp_config", "fsdp_transformer_layer_cls_to_wrap", "fsdp_min_num_params", "ray_num_workers"),
        .. All(Unused(OneDevice), "ddp_*", "local_rank", "ray_*", "master_addr", "master_port", "accelerator_config", "parallelism_config",
            "split_batches", "dispatch_batches"),
        .. All(Unused(Generating), "do_sample", "temperature", "top_p", "top_k", "num_beams", "max_length", "max_new_tokens",
            "repetition_penalty", "length_penalty",
            "skip_special_tokens"),

        // other trainers behind the same files
        new("use_kt", NotBuilt("computes experts on the CPU (KTransformers), which is not built; leave it out")),
        new("kt_*", PartOf("use_kt")),
        .. All(First("is a setting of the Megatron trainer, which is not built; leave such keys out for the plain one", Megatron), Megatron),
        new("use_hyper_parallel", NotBuilt("is the HyperParallel trainer, which is not built; leave it out")),
        new("hyper_parallel_*", PartOf("use_hyper_parallel")),
    ])
    {
        Marks = ["model_name_or_path", "finetuning_type", "lora_target"],
        OtherPurpose = LlamaFactoryCommands.Instead,
        Finish = LlamaFactoryRules.Finish,
    };
}
