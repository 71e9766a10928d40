using static LlmTune.Recipes.Wording.Meanings;

namespace LlmTune.Recipes.Wording;

/// <summary>Settings, methods, objectives and optimizers that are planned and not built yet: the one place that says so. What gets built leaves it.</summary>
internal static class UnbuiltNames
{
    private const string
        Quantized = "a base in 4 or 8 bits (QLoRA); adapter: { type: lora } trains on a base in 16 bits (more memory)",
        Checkpoints = "no checkpoint is written on the way; the result is written at the end, and after Ctrl-C what has been learnt until then",
        Best = "there are no checkpoints to choose from, the last state is kept; the losses of all evaluations are in metrics.jsonl",
        Preferences = "training on preferences; preview shows such data, and objective: { type: sft } trains on the chosen answers",
        Rewards = "training by rewards; objective: { type: sft } is built",
        Reporting = "nothing is sent anywhere; metrics.jsonl has every step by the Trainer's names, and loss.svg draws the losses",
        Devices = "a run computes on one device",
        Adapters = "lora is built, and without an adapter section the whole model is trained",
        Optimizers = "adamw_torch_fused and adamw_torch are built",
        FewBits = "adamw_torch_fused is the same update with its state in 32 bits (more memory, above all when the whole model is trained)",
        Smoothing = "the loss is the plain negative log-likelihood";

    /// <summary>Keys, by their own name or that of a section and their own, and what is said of them.</summary>
    public static IReadOnlyList<(string Names, string What)> Keys { get; } =
    [
        ("quantization quantization_config bnb_config load_in_4bit load_in_8bit quantization_bit quantization_method bits", Quantized),
        ("bnb_4bit_quant_type bnb_4bit_use_double_quant bnb_4bit_compute_dtype bnb_4bit_blocksize llm_int8_skip_modules llm_int8_threshold double_quantization", Quantized),
        ("attn_implementation flash_attn flash_attention use_flash_attention_2 use_flash_attn sdp_attention", "attention is computed by PyTorch's fused kernel on every device; there is no choice"),
        ("add_tokens new_special_tokens resize_vocab add_special_tokens", "new tokens; train with those that the tokenizer has"),
        ("trainable_token_indices", "training some rows of the embedding; modules_to_save: [embed_tokens] trains all of it"),
        ("use_dora", "DoRA; leave it out for plain LoRA"),
        ("init_lora_weights pissa_init loftq_config", "other beginnings of an adapter (PiSSA, OLoRA, LoftQ); A is uniform and B zero, as PEFT's init_lora_weights: true"),
        ("loraplus_lr_ratio", "a learning rate of its own for B (LoRA+)"),
        ("neftune_noise_alpha", "noise on the embeddings (NEFTune)"),
        ("label_smoothing_factor label_smoothing", Smoothing),
        ("auto_find_batch_size", "batches that shrink until they fit; llmtune init fits one to this machine, and --dry-run shows what a step takes"),
        ("save_strategy save_steps save_total_limit save_on_interrupt save_on_each_node save_interval save_every checkpoint_every", Checkpoints),
        ("resume_from_checkpoint resume auto_resume_from_checkpoints", "there are no checkpoints to go on from; adapter.path trains on from a run's adapter"),
        ("load_best_model_at_end metric_for_best_model greater_is_better early_stopping_patience early_stopping_threshold early_stopping", Best),
        ("report_to logging_dir run_name wandb wandb_project wandb_entity wandb_run_id use_wandb use_swanlab mlflow tensorboard logging_strategy", Reporting),
        ("push_to_hub hub_model_id hub_token hub_strategy", "nothing is sent to the Hub; the run folder holds all that hf upload takes"),
        ("deepspeed fsdp fsdp_config ddp ddp_find_unused_parameters ddp_timeout num_gpus n_gpu devices local_rank world_size", Devices),
        ("torch_compile compile", "kernels are chosen by hand, nothing is compiled"),
        ("objective.loss_type loss_type", $"objectives with a loss_type (DFT, and those of preferences); {Smoothing}"),
        ("beta loss_weights f_divergence_type ld_alpha use_weighting simpo_gamma cpo_alpha pref_beta pref_loss rl_beta rl", Preferences),
        ("desirable_weight undesirable_weight reference precompute_ref_log_probs ref_model reference_model", Preferences),
        ("center_rewards_coefficient reward_model", Rewards),
    ];

    /// <summary>Values by the setting they belong to. What is in <c>method</c> belongs to <c>llmtune init --method</c> too.</summary>
    public static IReadOnlyList<(string Setting, string Values, string What)> Values { get; } =
    [
        ("adapter.type", "qlora", Quantized),
        ("adapter.type", "dora qdora", "DoRA; lora is built"),
        ("adapter.type", "ia3 adalora loha lokr oft boft vera randlora fourierft llama-adapter", Adapters),
        ("adapter.type", "prompt prefix p_tuning prompt_tuning prefix_tuning p-tuning ptuning soft_prompt", Adapters),
        ("objective.type", "dpo ipo kto orpo cpo simpo apo bco preference", Preferences),
        ("objective.type", "reward rm ppo grpo rloo rlhf gspo", Rewards),
        ("objective.type", "distill distillation gkd kd", "learning from a teacher; objective: { type: sft } trains on a teacher's answers"),
        ("training.optim", "adamw_8bit adamw_bnb_8bit paged_adamw_8bit adamw_torch_8bit adamw_4bit adamw_torch_4bit paged_adamw_32bit paged_adamw", FewBits),
        ("training.optim", "adafactor lion lion_32bit lion_8bit paged_lion_32bit paged_lion_8bit sgd muon rmsprop adagrad galore_adamw apollo_adamw lomo adalomo schedule_free_adamw came_pytorch", Optimizers),
        ("model.dtype", "int8 int4 nf4 fp4 4bit 8bit fp8", Quantized),
    ];

    /// <summary>What follows <c>got 'x'</c>; null for what is not in the table.</summary>
    public static string? OfValue(string setting, string value)
    {
        var name = value.ToLowerInvariant();
        var line = Values.FirstOrDefault(line => IsOf(line.Setting, setting) && line.Values.Split(' ').Contains(name));
        return line.What is null ? null : Unbuilt(line.What);
    }

    /// <summary>A method of <c>llmtune init</c> is a kind of adapter or an objective.</summary>
    private static bool IsOf(string setting, string asked) => setting == asked || (asked == RunGlossary.Method && setting is "adapter.type" or "objective.type");
}
