using LlmTune.Config;
using static LlmTune.Recipes.Wording.Meanings;

namespace LlmTune.Recipes.Wording;

/// <summary>Other words for what a run file has: those of other tools, older ones, and those that people try first.</summary>
internal static class OtherNames
{
    private const string OneDevice = "the run computes on one device, which device names";

    /// <summary>Keys by their own name, or by that of a section and their own where it means something there only.</summary>
    public static IReadOnlyList<(string Names, Meaning Meaning)> Keys { get; } =
    [
        // sections
        ("train trainer training_args training_arguments trainingarguments hyperparameters", To("training")),
        ("lora lora_config peft peft_config", To("adapter")),
        ("loss", To("objective")),
        ("dataset datasets data_path data_paths data_file data_files train_file train_files train_data train_dataset training_data train_path dataset_path dataset_name files", ToSources("data.sources")),
        ("eval_dataset eval_data eval_file validation_file validation_data validation_dataset val_data val_file val_dataset eval_path test_datasets test_file", ToSources("data.eval.sources")),
        ("val_size val_set_size validation_split eval_split val_split test_size validation_fraction eval_fraction eval_size", HeldOut),

        // model
        ("model_name_or_path model_name model_id model_path base_model base_model_name_or_path pretrained_model pretrained_model_name_or_path hf_model model.name model.id model.model", To("model.path")),
        ("bf16 bfloat16 use_bf16 pure_bf16", Switch("model.dtype", "bfloat16", "leave it out: model.dtype: auto is bfloat16 on a GPU that has it, else float32")),
        ("fp16 float16 half use_fp16", Switch("model.dtype", "float16", "leave it out: model.dtype: auto is bfloat16 on a GPU that has it, else float32")),
        ("fp32 float32 use_fp32 full_precision", Switch("model.dtype", "float32", "leave it out: model.dtype: auto is bfloat16 on a GPU that has it, else float32")),
        ("torch_dtype precision mixed_precision compute_dtype weights_dtype", To("model.dtype", Type)),
        ("tokenizer_name tokenizer_path tokenizer_name_or_path tokenizer_config", To("model.tokenizer")),
        ("train_from_scratch from_scratch random_init", Switch("model.init", "random", "leave it out: the weights of model.path are trained on")),
        ("chat_template_jinja chat_template_path", To("model.chat_template")),
        ("model.template template prompt_style", Unneeded("the model's own chat template is used; model.chat_template sets another one (a Jinja file), prompt_template of a source writes the prompt")),
        ("trust_remote_code", Unneeded("models are built in, no code of theirs is run; leave it out")),
        ("freeze_layers num_layers_to_freeze freeze unfrozen_parameters freeze_trainable_layers trainable_layers", Unneeded("without an adapter model.trainable says what is trained: { last_layers: 4 }, or names like [lm_head, layers.23]")),
        ("use_cpu no_cuda", Switch("device", "cpu", "leave it out: device: auto is cuda where it works")),
        ("gpu cuda use_cuda device_map", Unneeded(OneDevice + ": auto, cpu, cuda or cuda:1")),

        // adapter
        ("rank lora_rank lora_r", To("adapter.r")),
        ("alpha adapter.scale", To("adapter.lora_alpha")),
        ("dropout", To("adapter.lora_dropout")),
        ("lora_target lora_target_modules lora_modules targets target adapter.modules", To("adapter.target_modules", Targets)),
        ("lora_target_linear", Switch("adapter.target_modules", "all-linear", "leave it out, and list the names in adapter.target_modules")),
        ("additional_target lora_modules_to_save", ToList("adapter.modules_to_save")),
        ("adapter_name_or_path lora_model_dir lora_path adapter_path resume_adapter", To("adapter.path")),
        ("finetuning_type", To("adapter", scalar => scalar.Text == "full" ? "null" : $"{{ type: {scalar.Text} }}")),

        // data
        ("max_seq_length max_seq_len max_sequence_length cutoff_len sequence_len seq_len seq_length sequence_length context_length context_len block_size model_max_length max_len max_tokens", To("data.max_length")),
        ("pack packed neat_packing sample_packing use_packing", To("data.packing")),
        ("train_on_inputs train_on_input train_on_source", To("data.train_on_prompt")),
        ("dataset_num_proc preprocessing_num_workers num_workers dataloader_num_workers dataset_processes workers", To("data.num_proc")),
        ("dedup dedupe deduplication", To("data.deduplicate")),
        ("completion_only_loss assistant_only_loss mask_prompt", Unneeded("only answers are trained on, unless data.train_on_prompt says true; leave it out")),
        ("interleave_probs mix_probabilities probabilities sampling_weights", Unneeded("each source has its own weight, with data.mixing: first_exhausted or all_exhausted")),
        ("max_samples num_samples max_train_samples", Unneeded("each source has its own limit: sources: [{ path: FILE, limit: 1000 }]")),
        ("sources.file sources.data sources.dataset sources.data_files sources.path_or_name", ToBeside("path")),
        ("sources.type sources.formatting sources.kind", ToBeside("format")),
        ("sources.template", ToBeside("prompt_template")),
        ("sources.max_samples sources.num_samples", ToBeside("limit")),
        ("sources.probability sources.prob sources.ratio", ToBeside("weight")),

        // training
        ("output out output_path output_folder out_dir outdir save_dir out_path result_dir", To("training.output_dir")),
        ("lr learningrate peak_lr max_lr base_lr", To("training.learning_rate")),
        ("epochs epoch num_epochs n_epochs max_epochs train_epochs nb_epochs", To("training.num_train_epochs")),
        ("steps max_iters iters iterations total_steps num_steps num_train_steps train_steps max_train_steps", To("training.max_steps")),
        ("batch_size micro_batch_size train_batch_size batch batchsize bs per_device_batch_size per_gpu_train_batch_size train_micro_batch_size_per_gpu", To("training.per_device_train_batch_size")),
        ("eval_batch_size val_batch_size per_gpu_eval_batch_size", To("training.per_device_eval_batch_size")),
        ("gradient_accumulation grad_accumulation grad_accum grad_accum_steps grad_accumulation_steps grad_acc_steps accumulate_grad_batches accumulation_steps gradient_acc_steps", To("training.gradient_accumulation_steps")),
        ("lr_scheduler scheduler scheduler_type lr_schedule schedule", To("training.lr_scheduler_type")),
        ("warmup warm_up warm_up_steps num_warmup_steps warmup_iters", To("training.warmup_steps")),
        ("warmup_proportion warmup_fraction warm_up_ratio", To("training.warmup_ratio")),
        ("optimizer optimiser", To("training.optim", scalar => Optimizer(scalar.Text) ?? scalar.Text)),
        ("wd weightdecay", To("training.weight_decay")),
        ("grad_clip gradient_clip gradient_clipping clip_grad clip_grad_norm gradient_clip_val max_norm max_gradient_norm", To("training.max_grad_norm")),
        ("activation_checkpointing grad_checkpointing gradient_checkpoint enable_activation_checkpointing checkpoint_activations use_gradient_checkpointing", To("training.gradient_checkpointing")),
        ("gradient_checkpointing_kwargs", Unneeded("gradient_checkpointing needs no more settings; leave it out")),
        ("beta1 adam_b1", To("training.adam_beta1")),
        ("beta2 adam_b2", To("training.adam_beta2")),
        ("eps epsilon adam_eps", To("training.adam_epsilon")),
        ("random_seed random_state manual_seed", To("training.seed")),
        ("log_steps log_every log_interval logging_interval log_every_n_steps", To("training.logging_steps")),
        ("evaluation_strategy", To("training.eval_strategy")),
        ("eval_every eval_interval evaluation_steps val_interval eval_every_n_steps", To("training.eval_steps")),
        ("overwrite_output_dir", Unneeded("llmtune train --force replaces a run that is there; leave it out")),
        ("do_train do_eval do_predict remove_unused_columns tf32 save_safetensors save_only_model dataloader_pin_memory dataloader_drop_last group_by_modality", Unneeded("there is nothing to set here; leave it out")),
    ];

    /// <summary>Values by the setting they belong to, and what is written in their place.</summary>
    public static string? OfValue(string setting, string value) => setting switch
    {
        "model.dtype" => Type(value) is var type && type != value ? type : null,
        "training.optim" => Optimizer(value),
        _ => null,
    };

    private static string Type(ScalarNode scalar) => Type(scalar.Text);

    private static string Type(string name) => name.ToLowerInvariant().Replace("torch.", "", StringComparison.Ordinal) switch
    {
        "bf16" or "bfloat16" or "bf16-mixed" or "bf16-true" => "bfloat16",
        "fp16" or "float16" or "half" or "16" or "16-mixed" => "float16",
        "fp32" or "float32" or "float" or "single" or "32" or "32-true" or "no" => "float32",
        _ => name,
    };

    private static string? Optimizer(string name) => name.ToLowerInvariant() switch
    {
        "adamw" or "adam" or "adamw_hf" or "fused_adamw" or "adamw_apex_fused" or "adamw_torch_xla" => "adamw_torch_fused",
        _ => null,
    };

    private static string Targets(ScalarNode scalar) =>
        scalar.Text is "all" or "all_linear" or "all-linear" ? "all-linear" : $"[{scalar.Text}]";
}
